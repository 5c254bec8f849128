"""The message of a TFRecord, without TensorFlow, which takes five seconds to load.

Of tensorflow/core/example/{example,feature}.proto, with the one kind of feature that is used::

    message Example {
      Features features = 1;
    }
    message Features {
      map<string, Feature> feature = 1;
    }
    message Feature {
      oneof kind {
        BytesList bytes_list = 1;
      }
    }
    message BytesList {
      repeated bytes value = 1;
    }
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sensor2sensor.core.notices import require_tensorflow


@cache
def example_class() -> Any:
    """The class ``Example``: its bytes are those of ``tensorflow.train.Example``.

    Raises:
        MissingExtraError: This is a light installation, which makes and reads no records.
    """
    require_tensorflow()  # protobuf comes with it
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="s", syntax="proto3")

    def field(message: Any, name: str, number: int, kind: int, *, many: bool = False) -> Any:
        label = kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL
        return message.field.add(name=name, number=number, type=kind, label=label)

    parts = {name: file.message_type.add(name=name) for name in ("Example", "Features", "Feature")}
    field(file.message_type.add(name="BytesList"), "value", 1, kinds.TYPE_BYTES, many=True)
    parts["Feature"].oneof_decl.add(name="kind")
    kind = field(parts["Feature"], "bytes_list", 1, kinds.TYPE_MESSAGE)
    kind.type_name, kind.oneof_index = ".s.BytesList", 0
    entry = parts["Features"].nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    field(entry, "key", 1, kinds.TYPE_STRING)
    field(entry, "value", 2, kinds.TYPE_MESSAGE).type_name = ".s.Feature"
    entries = field(parts["Features"], "feature", 1, kinds.TYPE_MESSAGE, many=True)
    entries.type_name = ".s.Features.FeatureEntry"
    field(parts["Example"], "features", 1, kinds.TYPE_MESSAGE).type_name = ".s.Features"
    # Of its own: TensorFlow, once loaded, puts its messages into the common pool.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("s.Example"))
