"""The list of faults (`make mutants`) fits the code: each can be put in, and names tests that `make test` runs."""

import ast

from tests.mutants.fault import FAULTS, ROOT


def test_each_fault_changes_one_place_and_leaves_a_program() -> None:
    for fault in FAULTS:
        ast.parse(fault.applied())
        assert fault.new != fault.old, fault.name
        assert all((ROOT / "tests" / test.partition("::")[0]).is_file() for test in fault.tests), fault.name


def test_names_tell_faults_apart() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 60
