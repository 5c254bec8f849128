"""One XML parser: local names, named errors, nothing hostile."""

from __future__ import annotations

import pytest

from sensor2sensor.core import xml
from sensor2sensor.core.errors import ProductError

TEXT = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Root xmlns:n1="urn:x" xmlns:b="urn:b">
  <!-- a comment -->
  <n1:Info>
    <Size resolution="10"><N>4</N></Size><Size b:resolution="20"><N> 2.5 </N></Size>
  </n1:Info>
  <List>1 2.5 -3e2</List><Empty/><Comma>0,5</Comma><Nan>nan</Nan><Under>1_000</Under>
</n1:Root>"""


@pytest.fixture
def root() -> xml.Element:
    return xml.parse(TEXT.encode(), "product/file.xml")


def test_paths_are_local_names_whatever_the_namespace(root: xml.Element) -> None:
    assert root.name == "Root"
    assert [one.number("N") for one in root.find_all("Info/Size")] == [4.0, 2.5]
    assert [one.attributes["resolution"] for one in root.find_all("Info/Size")] == ["10", "20"]
    assert root.integer("Info/Size/N") == 4
    assert root.require("List").numbers() == [1.0, 2.5, -300.0]
    assert [one.text for one in root.descendants("N")] == ["4", "2.5"]
    assert root.find("Info/Nothing") is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Info/Nothing", "element Info/Nothing is missing"),
        ("Comma", "element Comma is '0,5', not a number"),
        ("Nan", "element Nan is 'nan', not a number"),
        ("Under", "element Under is '1_000', not a number"),
        ("Empty", "element Empty is '', not a number"),
    ],
)
def test_errors_name_file_and_element(root: xml.Element, path: str, message: str) -> None:
    with pytest.raises(ProductError) as caught:
        root.number(path)
    assert str(caught.value) == f"product/file.xml: {message}"


def test_fractions_are_no_whole_numbers(root: xml.Element) -> None:
    with pytest.raises(ProductError, match=r"2\.5, not a whole number"):
        root.find_all("Info/Size")[1].integer("N")


def test_an_empty_element_holds_no_text(root: xml.Element) -> None:
    with pytest.raises(ProductError, match="element Empty is empty"):
        root.string("Empty")


HOSTILE = {
    "entity bomb": '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>',
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "external DTD": '<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x "y"> %x;]><a/>',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_documents_are_refused_unread(kind: str) -> None:
    with pytest.raises(ProductError, match=r"^p/f\.xml: hostile XML refused"):
        xml.parse(HOSTILE[kind].encode(), "p/f.xml")


@pytest.mark.parametrize(
    "data", [b"", b"<a>", b"not xml", b"\xff\xfe\x00", b"PK\x03\x04", b"<a/><b/>"]
)
def test_what_is_no_xml_is_said_so(data: bytes) -> None:
    with pytest.raises(ProductError, match=r"^p/f\.xml: .*; fetch it again") as caught:
        xml.parse(data, "p/f.xml")
    assert ("not well-formed XML" if data else "is an empty file") in str(caught.value)


def test_an_unknown_encoding_is_no_crash() -> None:
    with pytest.raises(ProductError, match="not well-formed"):
        xml.parse(b'<?xml version="1.0" encoding="nonsense"?><a/>', "f")


def test_a_huge_document_is_refused_before_parsing() -> None:
    with pytest.raises(ProductError, match="XML of 11 bytes, more than 10"):
        xml.parse(b"<a>1234</a>", "f", max_bytes=10)


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    depth = 20_000
    root = xml.parse(b"<a>" * depth + b"</a>" * depth, "f")
    assert sum(1 for _ in root.descendants("a")) == depth
