"""The ledger that benchmarks read is one that a service could have written, and its size is what was asked for."""

from __future__ import annotations

from distributor.adapters.git import PygitObjects
from distributor.adapters.keys import generate
from distributor.services.ledger.checking import Known, verify_history
from distributor.services.ledger.files import LedgerFiles
from tests.benchmarks import ledgers

TINY = ledgers.Size(records=440, instances=2)


def test_a_ledger_folds_and_is_signed(tmp_path):
    signer = generate(tmp_path / "key", "bench")
    objects = PygitObjects.create(tmp_path / "ledger.git")
    head = ledgers.write(objects, TINY, signer, commits=3)
    history = objects.history(head, None)
    assert len(history) == 3
    assert verify_history(objects, history, Known(key=signer.public_key)).signed
    states = LedgerFiles(objects).folds(head)
    assert set(states) == set(ledgers.keys(TINY))
    assert sum(s.records for s in states.values()) == 440 + 2
    assert all(len(s.accepted) == 4 for s in states.values())
    assert all(p.verified_at for s in states.values() for p in s.progress.values())
    key = ledgers.keys(TINY)[0]
    newer = ledgers.append(objects, head, key, ledgers.read(objects, head, [key]), signer)
    assert LedgerFiles(objects).folds(newer)[key].records == states[key].records + 1
