"""New struct types, again and again, each first decoded by four threads at once.

With the argument "learn" msgspec learns them before.
"""

from __future__ import annotations

import sys
import threading
import types
import typing

import msgspec

from shared.msgspec_decoding import learn_types

FIELDS = "\n".join(
    f"    f{n}: 'typing.Annotated[int | None, msgspec.Meta(description=\"x\")]' = None"
    for n in range(20)
)
SOURCE = f"""
class Inner(msgspec.Struct):
{FIELDS}

class Outer(msgspec.Struct):
    a: 'tuple[Inner, ...]' = ()
{FIELDS}
"""


def new_type(number: int) -> typing.Any:
    module = types.ModuleType(f"module_{number}")
    sys.modules[module.__name__] = module
    module.__dict__.update(msgspec=msgspec, typing=typing)
    exec(SOURCE, module.__dict__)  # a type that nobody has met
    return module.Outer


def main(is_learnt_before: bool) -> None:
    sys.setswitchinterval(1e-6)
    for number in range(250):
        outer = new_type(number)
        if is_learnt_before:
            learn_types()
        together = threading.Barrier(4)

        def decode(outer: typing.Any = outer, together: threading.Barrier = together) -> None:
            together.wait()
            msgspec.json.decode(b'{"a": [{"f1": 1}], "f3": 2}', type=outer)

        threads = [threading.Thread(target=decode) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        del sys.modules[f"module_{number}"]


if __name__ == "__main__":
    main(sys.argv[1:] == ["learn"])
