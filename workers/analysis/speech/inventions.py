"""What speech models are known to invent: stock phrases, and text that runs in circles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_NO_WORD = re.compile(r"[^\w']+")
# Letters of scripts without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer.
_LETTER = re.compile(
    "[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff\u0e00-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff]"
)
_LONGEST_LOOP = 60  # words of what is said again and again; a long line, where they are letters
_LONGEST_PHRASE = 12  # letters of what people repeat as readily as two words


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation and combining marks, for comparing.

    In a script without spaces between words each letter is one: nothing else shows what comes
    again, or how much of two texts is the same.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    letters = "".join(c for c in folded if not unicodedata.category(c).startswith("M"))
    words = _NO_WORD.sub(" ", letters)
    return _LETTER.sub(r" \g<0> ", words).split()


# Ends of videos and credits of subtitles, which models learnt from the web and tell of music,
# noise and silence: Barański et al., "Investigation of Whisper ASR Hallucinations Induced by
# Non-Speech Audio" (ICASSP 2025), and issues of openai/whisper (discussion 679) and its users.
# People say them too, so that none is refused without another doubt.
_PHRASES = frozenset(
    tuple(words_of(phrase))
    for phrase in """
    you | thank you | thank you very much | thank you so much | thank you for watching
    thanks for watching | thank you all for watching | thanks for listening | bye | bye bye | okay
    thank you for your watching | thank you for watching this video | see you next time
    see you in the next video | i'll see you in the next video | i'll see you next time
    please subscribe | please subscribe to my channel | like and subscribe | i'm sorry | oh | so
    don't forget to like and subscribe | subscribe to my channel | the end | to be continued
    if you have any questions please let me know in the comments below | music | applause
    subtitles by the amara org community | subtitles by | transcription by castingwords
    transcribed by otter ai | subtitles created by the amara org community | beep | silence
    untertitel der amara org community | untertitel im auftrag des zdf für funk 2017 | vielen dank
    untertitel von stephanie geiges | untertitelung aufgrund der amara org community
    untertitelung des zdf 2020 | bis zum nächsten mal | danke fürs zuschauen | tschüss
    vielen dank fürs zuschauen | das war's für heute | copyright wdr 2021 | swr 2021
    sous titres réalisés para la communauté d'amara org | merci d'avoir regardé cette vidéo
    sous titres réalisés par la communauté d'amara org | merci | abonnez vous | sous titrage st 501
    merci d'avoir regardé | subtítulos realizados por la comunidad de amara org | suscríbete
    gracias por ver el video | gracias por ver | gracias | ¡suscríbete al canal | obrigado
    legendas pela comunidade amara org | obrigado por assistir | sottotitoli creati dalla comunità
    amara org | sottotitoli e revisione a cura di qtss | grazie per la visione | grazie
    ondertitels ingediend door de amara org gemeenschap | bedankt voor het kijken | tack
    napisy stworzone przez społeczność amara org | dziękuję za uwagę | dziękuję | tack för att ni
    субтитры сделал dimatorzok | субтитры создавал dimatorzok | продолжение следует
    спасибо за просмотр | редактор субтитров а синецкая корректор а егорова | до новых встреч
    altyazı m k | izlediğiniz için teşekkürler | abone olmayı unutmayın
    ご視聴ありがとうございました | チャンネル登録お願いします | ありがとうございました
    次の動画でお会いしましょう
    字幕由amara org社区提供 | 字幕 by | 谢谢观看 | 谢谢大家 | 謝謝觀看 | 感谢观看
    请不吝点赞 订阅 转发 打赏支持明镜与点点栏目
    시청해주셔서 감사합니다 | 구독과 좋아요 부탁드립니다 | mbc 뉴스 이덕영입니다
    اشتركوا في القناة | ترجمة نانسي قنقر | شكرا للمشاهدة
    """.replace("\n    ", " | ").split("|")
    if phrase.strip()
)


def is_stock_phrase(text: str) -> bool:
    """Whether the text is nothing but one phrase that models are known to invent."""
    return tuple(words_of(text)) in _PHRASES


def is_loop(words: Sequence[str], since: int = 0) -> bool:
    """Whether some words come again and again, one of these times at `words[since:]`."""
    for length in range(1, min(_LONGEST_LOOP, len(words) // 2) + 1):
        same = 0  # words in a row that equal the one `length` before
        for at in range(length, len(words)):
            same = same + 1 if words[at] == words[at - length] else 0
            if at >= since and same >= length:
                times = _too_often(words[at - length + 1 : at + 1])
                if same >= (times - 1) * length:
                    return True
    return False


def _too_often(words: Sequence[str]) -> int:
    """How often these words may not come in a row.

    Real speech repeats itself as well: "no, no, no, no". The fewer words, the more often they
    may come before it is a loop: 8 times one, 5 times two, 3 times more. Letters are less than
    words, and laughter is made of them.
    """
    if any(map(_LETTER.fullmatch, words)):
        return {1: 16, 2: 8, 3: 6}.get(len(words), 4 if len(words) <= _LONGEST_PHRASE else 3)
    return {1: 8, 2: 5}.get(len(words), 3)
