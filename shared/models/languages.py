"""The languages that Whisper knows: its codes, their English names, and what clients may write."""

from __future__ import annotations

import difflib
import re

from shared.errors import BadInput

# Whisper's own table (openai/whisper, tokenizer.py, LANGUAGES), which faster-whisper follows.
_NAMES = {
    code: name
    for code, _, name in (
        entry.strip().partition(" ")
        for entry in (
            "af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, "
            "be belarusian, bg bulgarian, bn bengali, bo tibetan, br breton, bs bosnian, "
            "ca catalan, cs czech, cy welsh, da danish, de german, el greek, en english, "
            "es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, "
            "gl galician, gu gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr croatian, "
            "ht haitian creole, hu hungarian, hy armenian, id indonesian, is icelandic, "
            "it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer, kn kannada, "
            "ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, "
            "lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam, mn mongolian, "
            "mr marathi, ms malay, mt maltese, my myanmar, ne nepali, nl dutch, nn nynorsk, "
            "no norwegian, oc occitan, pa punjabi, pl polish, ps pashto, pt portuguese, "
            "ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak, "
            "sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, "
            "sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai, tk turkmen, "
            "tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek, vi vietnamese, "
            "yi yiddish, yo yoruba, yue cantonese, zh chinese"
        ).split(",")
    )
}
# Further names: Whisper's TO_LANGUAGE_CODE, and what people call these languages.
_OTHER_NAMES = {
    "burmese": "my", "castilian": "es", "farsi": "fa", "filipino": "tl", "flemish": "nl",
    "haitian": "ht", "letzeburgesch": "lb", "mandarin": "zh", "moldavian": "ro",
    "moldovan": "ro", "panjabi": "pa", "pushto": "ps", "sinhalese": "si", "valencian": "ca",
    "bokmål": "no", "bokmal": "no", "norwegian bokmål": "no", "norwegian nynorsk": "nn",
}  # fmt: skip
# ISO 639-1 codes that Whisper writes otherwise, and ISO 639-2 and 639-3 (both forms where there
# are two), from Debian's iso-codes.
_OTHER_CODES = dict(
    pair.split(":")
    for pair in (
        "in:id iw:he ji:yi jv:jw mo:ro nb:no fil:tl cmn:zh nob:no "
        "afr:af alb:sq amh:am ara:ar arm:hy asm:as aze:az bak:ba baq:eu bel:be ben:bn bod:bo "
        "bos:bs bre:br bul:bg bur:my cat:ca ces:cs chi:zh cym:cy cze:cs dan:da deu:de dut:nl "
        "ell:el eng:en est:et eus:eu fao:fo fas:fa fin:fi fra:fr fre:fr geo:ka ger:de glg:gl "
        "gre:el guj:gu hat:ht hau:ha heb:he hin:hi hrv:hr hun:hu hye:hy ice:is ind:id isl:is "
        "ita:it jav:jw jpn:ja kan:kn kat:ka kaz:kk khm:km kor:ko lao:lo lat:la lav:lv lin:ln "
        "lit:lt ltz:lb mac:mk mal:ml mao:mi mar:mr may:ms mkd:mk mlg:mg mlt:mt mon:mn mri:mi "
        "msa:ms mya:my nep:ne nld:nl nno:nn nor:no oci:oc pan:pa per:fa pol:pl por:pt pus:ps "
        "ron:ro rum:ro rus:ru san:sa sin:si slk:sk slo:sk slv:sl sna:sn snd:sd som:so spa:es "
        "sqi:sq srp:sr sun:su swa:sw swe:sv tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tib:bo "
        "tuk:tk tur:tr ukr:uk urd:ur uzb:uz vie:vi wel:cy yid:yi yor:yo zho:zh"
    ).split()
)
_CODES = (
    {name: code for code, name in _NAMES.items()}
    | _OTHER_NAMES
    | _OTHER_CODES
    | {code: code for code in _NAMES}
)
_LONGEST_SHOWN = 40  # characters of what a client wrote instead of a language
_TAG = re.compile(r"([a-z]{2,3})[-_][a-z0-9]+(?:[-_][a-z0-9]+)*")  # "en-us", "zh_Hant_TW"

CODES = tuple(sorted(_NAMES))


def language_code(text: str | None, field: str = "language") -> str | None:
    """Whisper's code of a language name, an ISO code or a tag such as "en-US".

    None (detect) for None and "auto". Raises BadInput, naming the field, for anything else.
    """
    if text is None:
        return None
    wanted = " ".join(text.lower().split())
    if wanted == "auto":
        return None
    tag = _TAG.fullmatch(wanted)
    found = _CODES.get(wanted) or (tag and _CODES.get(tag[1]))
    if found:
        return found
    shown = text[:_LONGEST_SHOWN]
    names = sorted(set(_NAMES.values()) | set(_OTHER_NAMES))
    near = difflib.get_close_matches(wanted[:_LONGEST_SHOWN], names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise BadInput(
        f"{field}: {shown!r} is no language that speech models know.{hint} Give an English name "
        'such as "german", an ISO code such as "de", or "auto" to have it detected.'
    )


def language_name(code: str) -> str:
    """The lower-case English name of a language code, e.g. "english"; a strange code as it is."""
    return _NAMES.get(code, code)
