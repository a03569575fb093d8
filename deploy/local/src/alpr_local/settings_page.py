"""The table of every setting in docs/operations.md, made from the Settings classes themselves.

`python -m alpr_local.settings_page` rewrites the part of the page between its two markers; a test
fails when the page and the classes differ.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

from alpr_local.folders import repository

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
_COMMON = Path("libs/common/src/alpr_common/settings.py")


@dataclass(frozen=True)
class Setting:
    name: str
    default: str
    text: str


def page() -> Path:
    return repository() / "docs/operations.md"


def rendered() -> str:
    """The tables as Markdown, one per Settings class, in the order of the files."""
    bases = _classes(repository() / _COMMON)
    parts = []
    files = [repository() / _COMMON, *sorted(repository().glob("services/*/src/*/settings.py"))]
    for file in files:
        for node in _classes(file).values():
            prefix = _prefix(node)
            if prefix is None:
                continue
            rows = _settings(node, prefix, bases)
            parts.append(f"### `{prefix}…` ({file.relative_to(repository())})\n")
            parts.append("| setting | default | |\n|---|---|---|")
            parts += [f"| `{s.name}` | {s.default} | {s.text} |" for s in rows]
            parts.append("")
    return "\n".join(parts)


def with_tables(text: str) -> str:
    """The page's text with the part between the markers made anew; raises ValueError."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{page()} has lost its markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{rendered()}\n{END}{after}"


def _classes(file: Path) -> dict[str, ast.ClassDef]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _prefix(node: ast.ClassDef) -> str | None:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "SettingsConfigDict":
            for keyword in call.keywords:
                if keyword.arg == "env_prefix" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
    return None


def _settings(node: ast.ClassDef, prefix: str, bases: dict[str, ast.ClassDef]) -> list[Setting]:
    own = _own(node, prefix)
    known = {setting.name for setting in own}
    for base in node.bases:
        parent = bases.get(ast.unparse(base))
        if parent is not None:
            own = [s for s in _own(parent, prefix) if s.name not in known] + own
    return own


def _own(node: ast.ClassDef, prefix: str) -> list[Setting]:
    found: list[Setting] = []
    following = [*node.body[1:], None]
    for statement, after in zip(node.body, following, strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        if name in ("common", "model_config"):
            continue
        found.append(Setting(f"{prefix}{name.upper()}", _default(statement), _text(after)))
    return found


def _default(statement: ast.AnnAssign) -> str:
    value = statement.value
    if value is None:
        return "needed"
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("Field", "Path"):
        default = next((k.value for k in value.keywords if k.arg == "default"), None)
        value = default or (value.args[0] if value.args else value)
        if isinstance(value, ast.Call) and value.args:
            value = value.args[0]
    return f"`{ast.unparse(value)}`"


def _text(after: ast.stmt | None) -> str:
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
        return " ".join(str(after.value.value).split()).replace("|", "\\|")
    return ""


def main() -> None:
    page().write_text(with_tables(page().read_text("utf-8")), "utf-8")
    print(f"{page()} is up to date", file=sys.stderr)


if __name__ == "__main__":
    main()
