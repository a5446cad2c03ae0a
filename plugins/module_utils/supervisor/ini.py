# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the variables of an ``environment=`` stand in the text of a supervisor configuration.

supervisor reads that option in three steps: the INI parser takes comments and line breaks out, ``%`` expansion
follows, and a lexer without escapes splits the result. Every step here keeps track of where each character
stands in the text.
"""

from __future__ import annotations

import configparser
import re
import shlex

from ..text.variable import CannotChange

_OPTION = re.compile(r"(?P<option>.*?)\s*(?:[=:]\s*(?P<value>.*))$")
_HEADER = re.compile(r"\[(?P<header>.+)\]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_EXPANSION = re.compile(r"%%|%\([^)]*\)[#0\- +]*\d*(?:\.\d+)?[A-Za-z]|%")


def parse(text):
    """Every section's options, read by the parser and with the settings that supervisor uses."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    try:
        parser.read_string(text)
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except configparser.Error as error:
        raise CannotChange(f"it is not a supervisor configuration ({type(error).__name__})") from None


def read(text, section):
    """Where the section's environment stands: ``pairs``, ``option`` (spans of it, or None) and ``insert_at``."""
    parsed = parse(text)
    option, option_count, insert_at = _find_option(text, section)
    if insert_at is None or section not in parsed:
        raise CannotChange(f"there is no section [{section}]")
    joined, origin = _joined(text, option["pieces"]) if option else ("", [])
    if joined != parsed[section].get("environment", ""):
        raise CannotChange(
            f"the environment of [{section}] is not where it can be changed: "
            "write it in that section, without comments behind the values"
        )
    pairs = _pairs(joined, origin)
    return {"pairs": pairs, "option": option, "option_count": option_count, "insert_at": insert_at}


def _find_option(text, section):
    """Follow the INI parser line by line to the last ``environment`` of a section.

    Returns:
        The option (``pieces``: spans of its value on each line; ``line``: the span of its first line;
        ``has_comment``), how many there are, and ``(offset, indentation)`` of where another option would go.
    """
    option, count, insert_at = None, 0, None
    current, in_option, indent_level = None, None, 0
    for match in _LINE.finditer(text):
        line, start = match.group(), match.start()
        if not line:
            break
        comment = comment_start(line)
        content = line[:comment].strip()
        if not content:
            if in_option and comment is None:
                in_option["pieces"].append((start, start))
            continue
        indent = len(line) - len(line.lstrip())
        content_start = start + indent
        if current is not None and in_option is not None and indent > indent_level:
            in_option["pieces"].append((content_start, content_start + len(content)))
            in_option["has_comment"] = in_option["has_comment"] or comment is not None
        else:
            indent_level = indent
            header = _HEADER.match(content)
            if header:
                current, in_option = header.group("header"), None
            else:
                found = _OPTION.match(content)
                in_option = {
                    "name": found.group("option").rstrip().lower() if found else "",
                    "pieces": [tuple(content_start + offset for offset in found.span("value"))] if found else [],
                    "line": (start, match.end()),
                    "has_comment": comment is not None,
                }
                if current == section and in_option["name"] == "environment":
                    option, count = in_option, count + 1
        if current == section:
            insert_at = (match.end(), line[:indent] if indent <= indent_level else line[:indent_level])
    return option, count, insert_at


def comment_start(line):
    if line.strip().startswith(("#", ";")):
        return 0
    found = re.search(r"(?:^|(?<=\s))[;#]", line)
    return found.start() if found else None


def _joined(text, pieces):
    """The value as the INI parser gives it, and the offset in the file of each of its characters."""
    characters, origin = [], []
    for number, (start, end) in enumerate(pieces):
        if number:
            characters.append("\n")
            origin.append(pieces[number - 1][1])
        characters.extend(text[start:end])
        origin.extend(range(start, end))
    joined = "".join(characters).rstrip()
    return joined, origin[: len(joined)]


def expanded(raw):
    """The value after ``%`` expansion, and for each character the span in ``raw`` that it comes from.

    What only supervisord can know (``%(ENV_HOME)s``) becomes a word that stands for it.
    """
    text, spans, position = "", [], 0
    for match in _EXPANSION.finditer(raw):
        text += raw[position : match.start()]
        spans.extend((index, index + 1) for index in range(position, match.start()))
        if match.group() == "%":
            raise CannotChange("supervisor cannot read its environment: a % that is neither %% nor %(...)s")
        stands_for = "%" if match.group() == "%%" else f"EXPANSION.{match.group().encode().hex()}"
        text += stands_for
        spans.extend([match.span()] * len(stands_for))
        position = match.end()
    text += raw[position:]
    spans.extend((index, index + 1) for index in range(position, len(raw)))
    return text, spans


def tokens(text):
    """The lexer's tokens, as supervisor's ``dict_of_key_value_pairs`` makes them."""
    lexer = shlex.shlex(text)
    lexer.wordchars += "/.+-():"
    try:
        return list(lexer)
    except ValueError:
        raise CannotChange("supervisor cannot read its environment: a quote is not closed") from None


def _pairs(joined, origin):
    text, spans = expanded(joined)
    found, positions, cursor = tokens(text), [], 0
    for token in found:
        cursor = _skip_blank(text, cursor)
        if not text.startswith(token, cursor):
            raise CannotChange("its environment has a comment in the middle of a word: write it without")
        positions.append((cursor, cursor + len(token)))
        cursor += len(token)

    def in_file(start, end):
        return origin[spans[start][0]], origin[spans[end - 1][1] - 1] + 1

    pairs = []
    for index in range(0, len(found), 4):
        if len(found) < index + 3 or found[index + 1] != "=":
            raise CannotChange("supervisor cannot read its environment: it is not KEY=value,KEY=value")
        pairs.append(
            {
                "name": found[index],
                "value": found[index + 2],
                "span": in_file(positions[index][0], positions[index + 2][1]),
                "value_span": in_file(*positions[index + 2]),
                "separator_span": in_file(*positions[index + 3]) if len(found) > index + 3 else None,
            }
        )
    return pairs


def _skip_blank(text, cursor):
    while cursor < len(text):
        if text[cursor] == "#":
            end = text.find("\n", cursor)
            cursor = len(text) if end < 0 else end
        elif text[cursor] not in " \t\r\n":
            break
        else:
            cursor += 1
    return cursor
