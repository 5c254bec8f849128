from tests.fakes.s2 import make_s2
from tests.fakes.world import World
