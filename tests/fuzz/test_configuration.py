"""The shipped configuration with mistakes of every kind: told where they are, and no crash."""

from __future__ import annotations

import re
from pathlib import Path

from guestctl.config.config import Config
from guestctl.config.reading import read
from tests.command import PROJECT

from .chance import dice, mutated, seeds

SAMPLE = (PROJECT / "etc/guestctl/guestctl.toml").read_text()
#: Every setting, not only named in a comment.
ALL_SET = re.sub(r"^#\s?(?=\S+ = |\[)", "", SAMPLE, flags=re.MULTILINE)
SOUND = [
    ALL_SET,
    '[shutdown]\nsave-timeout = "5min"\n\n[[guest]]\nmatch = "db-*"\npoweroff = "none"\n',
    '[boot]\nrestore = false\n[[guest]]\nmatch = ["a", "b*"]\nmethods = ["agent", "acpi"]\n',
]


@seeds(3000, size=250)
def test_a_changed_configuration_is_read_or_its_mistakes_are_told(
    block: range, tmp_path: Path
) -> None:
    file = tmp_path / "one.toml"
    for seed in block:
        chance = dice(seed)
        content = mutated(chance.choice(SOUND), chance).encode(errors="surrogatepass")
        file.write_bytes(content)
        found = read(file)
        assert isinstance(found.config, Config), seed
        lines = content.count(b"\n") + 1
        for problem in found.problems:
            assert problem.message, seed
            assert problem.place.line is None or 1 <= problem.place.line <= lines, seed
