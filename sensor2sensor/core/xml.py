"""The only XML parser of the project: defused, capped, and matched on local names.

Namespaces of the same element change between processing baselines (`psd-14`, `psd-15`), so paths
are given in local names: `General_Info/Product_Info/PRODUCT_URI`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ProductError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MAX_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Element:
    """An XML element that knows which file it came from, so that its errors can say so.

    Attributes:
        where: product and file, as errors name them.
        node: the parsed element (an ElementTree element).
    """

    where: str
    node: Any = field(repr=False)

    @property
    def name(self) -> str:
        """Local name, without namespace."""
        return _local(str(self.node.tag))

    @property
    def text(self) -> str:
        """Text directly inside, stripped; empty when there is none."""
        return (self.node.text or "").strip()

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes by local name."""
        return {_local(key): value for key, value in self.node.attrib.items()}

    def children(self) -> Iterator[Element]:
        """The elements directly below (comments are dropped by the parser)."""
        return (Element(self.where, child) for child in self.node)

    def descendants(self, name: str) -> Iterator[Element]:
        """Every element of a local name at any depth, in document order."""
        for node in self.node.iter():
            if isinstance(node.tag, str) and _local(node.tag) == name:
                yield Element(self.where, node)

    def find_all(self, path: str) -> list[Element]:
        """All elements at a path of local names, in document order."""
        level = [self]
        for step in path.split("/"):
            level = [child for one in level for child in one.children() if child.name == step]
        return level

    def find(self, path: str) -> Element | None:
        """The first element at a path, or None."""
        found = self.find_all(path)
        return found[0] if found else None

    def require(self, path: str) -> Element:
        """The first element at a path; ProductError names file and element when absent."""
        found = self.find(path)
        if found is None:
            raise ProductError(f"element {path} is missing", where=self.where)
        return found

    def string(self, path: str) -> str:
        """The text at a path, not empty."""
        text = self.require(path).text
        if not text:
            raise ProductError(f"element {path} is empty", where=self.where)
        return text

    def number(self, path: str) -> float:
        """The finite number at a path, decimal point only."""
        return self.require(path).as_number(path)

    def integer(self, path: str) -> int:
        """The whole number at a path."""
        value = self.number(path)
        if value != int(value):
            raise ProductError(f"element {path} is {value}, not a whole number", where=self.where)
        return int(value)

    def as_number(self, path: str | None = None) -> float:
        """This element's text as a finite number; `path` is how the error names it."""
        return to_number(self.text, path or self.name, self.where)

    def numbers(self, path: str | None = None) -> list[float]:
        """This element's text as blank-separated finite numbers."""
        return [to_number(word, path or self.name, self.where) for word in self.text.split()]


def to_number(text: str, element: str, where: str) -> float:
    """A finite number from XML text; ProductError names the element that holds anything else."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # float() takes Python's 1_000 and the words "nan" and "infinity", which no product means.
    if not math.isfinite(value) or "_" in text:
        raise ProductError(f"element {element} is {text[:40]!r}, not a number", where=where)
    return value


def parse(data: bytes, where: object, max_bytes: int = MAX_BYTES) -> Element:
    """The root element of an XML document.

    Raises:
        ProductError: too large, not well-formed, or with entities, a DTD or external references.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    again = "fetch it again"
    if not data.strip():
        raise ProductError("is an empty file, not XML", where=where, hint=again)
    if len(data) > max_bytes:
        raise ProductError(f"XML of {len(data)} bytes, more than {max_bytes}", where=where)
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ProductError(
            f"hostile XML refused: {type(error).__name__}",
            where=where,
            hint="product metadata has neither entities nor a DTD; fetch the product again",
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise ProductError(f"not well-formed XML: {error}", where=where, hint=again) from error
    return Element(str(where), root)


def written(
    root: Element, namespace: str, alone: tuple[str, str], without: Collection[str] = ()
) -> bytes:
    """A document again, in UTF-8, its elements by local name in one namespace, no attributes.

    Args:
        root: what `parse` gave.
        namespace: of every element.
        alone: names of a parent and a child: a parent of several such is written once for each.
        without: names of elements that are left out.

    Raises:
        RecursionError: it is nested hundreds of levels deep.
    """
    # defusedxml reads and has nothing that writes: these make elements and parse none.
    from xml.etree.ElementTree import Element as Node
    from xml.etree.ElementTree import tostring

    def copied(element: Element, children: Iterable[Element]) -> Node:
        node = Node(element.name)
        node.text = element.node.text
        node.extend([copy for child in children for copy in copies(child)])
        return node

    def copies(element: Element) -> list[Node]:
        if element.name in without:
            return []
        each = element.find_all(alone[1]) if element.name == alone[0] else []
        if len(each) < 2:
            return [copied(element, element.children())]
        return [copied(element, [one]) for one in each]

    top = copied(root, root.children())
    top.set("xmlns", namespace)
    return bytes(tostring(top, encoding="utf-8", xml_declaration=True))


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
