from tests.isolation.world import World


def test_world(world: World) -> None:
    assert world.before
    with world.as_tenant("a") as c, world.alone("a") as d:
        c.begin()
        d.begin()
        m = world.mine(c, "a")
        n = world.mine(d, None)
        for k in m:
            assert m[k] == n[k], k
        assert all(m.values())
