"""What the documentation takes from elsewhere in the repository when it is built: figures, keys of a study, helps."""

import io
import os
import re
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
FIGURES = "figures/reference"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the committed figures."""
    for path in sorted((ROOT / FIGURES).glob("*.svg")):
        files.append(File.generated(config, f"{FIGURES}/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Fill in what stands between marks, and let links to the figures, right in the repository, be so in the site."""
    markdown = markdown.replace(f"(../{FIGURES}/", f"({FIGURES}/").replace(f"(../../{FIGURES}/", f"(../{FIGURES}/")
    markdown = markdown.replace("(../CONTRIBUTING.md)", "(contributing.md)")
    markdown = re.sub("<!-- help: (.*?) -->", lambda mark: command_help(mark[1].split()), markdown)
    markdown = re.sub("<!-- pages -->", lambda _: tables_and_figures(), markdown)
    return re.sub("<!-- keys of a study -->", lambda _: keys_of_a_study(), markdown)


def command_help(arguments: list[str]) -> str:
    """Return what `epsinas ... --help` prints."""
    from epsinas.cli import main

    os.environ["COLUMNS"] = "100"
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main([*arguments, "--help"])
    return f"```text\n{printed.getvalue().rstrip()}\n```"


def tables_and_figures() -> str:
    """Return a row for each page: its name, what it is, and what to see in it."""
    from epsinas.study.page import PAGES

    def order(name: str) -> tuple[str, int]:
        return re.sub(r"\d+$", "", name), int(re.search(r"\d*$", name)[0] or 0)

    rows = [
        f"| `{page.name}` | {'table' if page.table else ''}{' and ' if page.table and page.figure else ''}"
        f"{'figure' if page.figure else ''} | **{page.title}.** {' '.join(page.caption.split())} |"
        for page in sorted(PAGES, key=lambda page: order(page.name))
    ]
    return "\n".join(["| name | | |", "|---|---|---|", *rows])


def keys_of_a_study() -> str:
    """Return the schema of a study as nested lists: key, type, default, description."""
    from epsinas.study.schema import study_schema

    schema = study_schema()
    return "\n".join(_keys(schema, schema["$defs"], 0))


def _keys(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> list[str]:
    lines = []
    for key, option in schema.get("properties", {}).items():
        if "$ref" in option:
            option = definitions[option["$ref"].rsplit("/", 1)[1]] | option
        line = f"{'    ' * depth}- `{key}`"
        if option.get("default") not in (None, {}, []):
            line += f" (default `{option['default']}`)"
        elif key in schema.get("required", []):
            line += " (required)"
        if "enum" in option:
            line += f", one of {', '.join(f'`{value}`' for value in option['enum'])}"
        if "description" in option:
            line += f": {' '.join(option['description'].split())}"
        lines += [line, *_keys(option, definitions, depth + 1)]
        if "items" in option:
            lines += _keys(option["items"], definitions, depth + 1)
    return lines


class RunningExamples(griffe.Extension):
    """Docstrings say `Example:`, which the parser of Google's style knows as `Examples:`."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
