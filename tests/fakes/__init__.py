from tests.fakes.s2 import make_s2
from tests.fakes.s3 import make_s3
from tests.fakes.world import World

__all__ = ["World", "make_s2", "make_s3"]
