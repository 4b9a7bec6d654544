import pytest

from data.sources.synthetic.roles import ROLES, SHARES, begins, role_of


@pytest.mark.parametrize(
    ("family", "stratum", "role"),
    [
        ("tiny_pink", (True, True), "train"),
        ("tiny_blue", (True, False), "train"),
        ("late_c", (True, False), "test"),
        ("tiny_red", (True, True), "validation"),
    ],
)
def test_roles_are_fixed(family: str, stratum: tuple[bool, bool], role: str) -> None:
    # A change here means that every family may have got another role: earlier results no longer
    # compare with new ones.
    assert role_of(family, stratum) == role


def test_about_sixty_twenty_twenty() -> None:
    roles = [role_of(f"family_{n}", (True, False)) for n in range(2000)]
    assert roles.count("train") / 2000 == pytest.approx(0.6, abs=0.04)
    assert roles.count("test") / 2000 == pytest.approx(0.2, abs=0.04)


def test_validation_and_test_families_begin_late() -> None:
    assert begins("train") == 0
    assert 0.6 <= begins("validation") < 0.8 <= begins("test")


def test_every_part_of_the_period_is_shared_out_whole() -> None:
    assert SHARES[-1][0] == 1.0
    for _, by_role in SHARES:
        assert set(by_role) <= set(ROLES)
        assert sum(by_role.values()) == pytest.approx(1)
