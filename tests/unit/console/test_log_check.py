"""The console's check of the verifiable log: what it recomputes, and what it finds."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of
from alpr_translog.note import SignerKey
from alpr_translog.tiles import build_tiles, hash_reader
from tests.browser.support.rest_double import Double
from tests.browser.support.sightings import AGENCY
from tests.support.tampering import hand_over
from tests.unit.console.conftest import Page

pytestmark = pytest.mark.policy("131.7-3a")

_LOG = f"/v1/log/{AGENCY}"
_WHOLE = "The log is whole"
_FAILS = "This does not hold"


@dataclass
class Log:
    """A log as its server has it, and the server's answers made from it."""

    double: Double
    signer: SignerKey
    entries: list[bytes] = field(default_factory=list)
    hand_overs: list[int] = field(default_factory=list)

    def grow(self, count: int) -> str:
        """Append; returns the checkpoint of all that is there then, and serves it."""
        self.entries += [_entry(len(self.entries) + i) for i in range(count)]
        return self.serve()

    def hand_over(self, new: SignerKey) -> None:
        """Another key signs from now on."""
        self.hand_overs.append(len(self.entries))
        self.entries.append(hand_over(self.entries, self.signer, new))
        self.signer = new
        self.serve()

    def checkpoint(self, size: int | None = None) -> str:
        size = len(self.entries) if size is None else size
        tiles = build_tiles(self.entries[:size])
        root = root_of(hash_reader(tiles.__getitem__, size), size)
        return Checkpoint(self.signer.name, size, root).sign(self.signer)

    def serve(self) -> str:
        answer, tiles = self.double.canned.answer, build_tiles(self.entries)
        answer("GET", f"{_LOG}/key", f"{self.signer.verifier}\n")
        answer("GET", f"{_LOG}/checkpoint", self.checkpoint())
        said = [{"index": n, "entry": b64encode(self.entries[n]).decode()} for n in self.hand_overs]
        answer("GET", f"{_LOG}/hand-overs", {"items": said})
        for tile, content in tiles.items():
            answer("GET", f"{_LOG}/{tile.path}", content)
        return self.checkpoint()

    def proves(self, old_size: int) -> None:
        size = len(self.entries)
        hash_of = hash_reader(build_tiles(self.entries).__getitem__, size)
        path = [b64encode(h).decode() for h in consistency_proof(hash_of, old_size, size)]
        self.double.canned.answer("GET", f"{_LOG}/proofs/consistency", {"path": path})

    def includes(self, index: int, /, **changed: Any) -> dict[str, Any]:
        size, entry = len(self.entries), self.entries[index]
        hash_of = hash_reader(build_tiles(self.entries).__getitem__, size)
        path = [b64encode(h).decode() for h in inclusion_proof(hash_of, index, size)]
        said = json.loads(entry)
        answer = {
            "record_id": said["record_id"], "index": index, "size": size, "path": path,
            "entry": b64encode(entry).decode(), "leaf_hash": b64encode(leaf_hash(entry)).decode(),
            "checkpoint": self.checkpoint(),
            "texts": {"person_name": {"text": "Ann", "salt": "00", "forgotten_at": None}},
        } | changed  # fmt: skip
        self.double.canned.answer("GET", f"{_LOG}/proofs/inclusion", answer)
        return answer


def _entry(number: int) -> bytes:
    digest = hashlib.sha256(b"\x00" + b"Ann").hexdigest()
    said = {
        "action": "search", "record_id": str(uuid4()), "number": number,
        "salted_sha256": {"person_name": digest},
    }  # fmt: skip
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


@pytest.fixture
async def log(page: Page, double: Double) -> Log:
    await page.sign_in("osei")
    name = f"alpr.example/access-log/{AGENCY}"
    return Log(double, SignerKey(name, Ed25519PrivateKey.generate()))


async def check(page: Page, held: str, key: str = "") -> str:
    return (await page.post("/log", {"held": held, "key": key})).text


def failing(html: str) -> str:
    assert _FAILS in html
    return html.split('data-holds="no"><span class="check-mark"')[1].split("</li>")[0]


@pytest.mark.parametrize(("old", "new"), [(1, 1), (3, 7), (256, 300), (200, 700), (7, 257)])
async def test_a_log_that_grew_extends_what_was_held(
    page: Page, log: Log, old: int, new: int
) -> None:
    held = log.grow(old)
    log.grow(new - old)
    log.proves(old)
    html = await check(page, held.replace("\n", "\r\n") + "\r\n\r\n")
    assert _WHOLE in html
    assert html.count('class="check" data-holds="yes"') == 6
    assert "Checked with the key that the server itself gives" in html


async def test_the_key_from_paper_is_used_instead_of_the_servers(page: Page, log: Log) -> None:
    held = log.grow(5)
    log.proves(5)
    html = await check(page, held, str(log.signer.verifier))
    assert _WHOLE in html
    assert "Checked with the key that the server itself gives" not in html
    stranger = SignerKey(log.signer.name, Ed25519PrivateKey.generate())
    assert "newest checkpoint" in failing(await check(page, held, str(stranger.verifier)))
    assert "The key can be read" in failing(await check(page, held, "no key at all"))


async def test_a_log_with_one_entry_changed_is_found_out_although_it_signs_and_proves_well(
    page: Page, log: Log
) -> None:
    held = log.grow(200)
    log.grow(150)
    log.entries[17] = _entry(17)
    log.serve()
    log.proves(200)
    found = failing(await check(page, held))
    assert "still begins with what the held checkpoint covers" in found
    assert "Entries were changed" in found


async def test_a_shortened_log_is_found_out(page: Page, log: Log) -> None:
    held = log.grow(40)
    del log.entries[30:]
    log.serve()
    assert "did not become shorter" in failing(await check(page, held))


async def test_a_checkpoint_that_was_tampered_with_or_is_somebody_elses_fails(
    page: Page, log: Log
) -> None:
    held = log.grow(40)
    log.proves(40)
    assert "signature" in failing(await check(page, held.replace("\n40\n", "\n39\n")))
    other = SignerKey("elsewhere.example/log", log.signer.private_key)
    foreign = Checkpoint(other.name, 40, b"\x07" * 32).sign(other)
    assert "not signed by" in failing(await check(page, foreign))
    assert "no signatures" in failing(await check(page, "nonsense"))


async def test_hashes_that_do_not_make_up_the_root_are_found_out(page: Page, log: Log) -> None:
    held = log.grow(40)
    log.proves(40)
    tile = f"{_LOG}/tile/0/000.p/40"
    content = log.double.canned.answers["GET", tile]
    log.double.canned.answer("GET", tile, content[:-1] + bytes([content[-1] ^ 1]))
    assert "follows from the log&#39;s hashes" in failing(await check(page, held))
    log.double.canned.answer("GET", tile, content[:-32])
    assert "bytes" in failing(await check(page, held))


async def test_a_false_consistency_proof_is_found_out(page: Page, log: Log) -> None:
    held = log.grow(40)
    log.grow(10)
    log.proves(39)
    assert "consistency proof" in failing(await check(page, held))


async def test_a_record_is_found_in_the_log_with_the_texts_beside_it(page: Page, log: Log) -> None:
    log.grow(300)
    answer = log.includes(123)
    html = (await page.get(f"/log?record_id={answer['record_id']}")).text
    assert "The record is in the log" in html
    assert "“Ann”" in html
    assert "&#34;number&#34;: 123" in html


async def test_an_erased_text_leaves_the_entry_true(page: Page, log: Log) -> None:
    log.grow(9)
    erased = {"text": None, "salt": None, "forgotten_at": "2026-05-04T12:00:00Z"}
    answer = log.includes(4, texts={"person_name": erased})
    html = (await page.post("/log", {"record_id": answer["record_id"]})).text
    assert "The record is in the log" in html
    assert "It was erased since" in html


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"index": 5}, "in the log that the checkpoint signs"),
        ({"path": []}, "in the log that the checkpoint signs"),
        ({"size": 8}, "in the log that the checkpoint signs"),
        ({"entry": b64encode(_entry(4)).decode()}, "of the record that was asked for"),
        ({"entry": "?"}, "answers with an entry"),
        (
            {"texts": {"person_name": {"text": "Bob", "salt": "00", "forgotten_at": None}}},
            "is the one that the entry was made from",
        ),
    ],
)
async def test_a_record_that_was_bent_is_found_out(
    page: Page, log: Log, changed: dict[str, Any], what: str
) -> None:
    log.grow(9)
    record_id = log.includes(4, **changed)["record_id"]
    assert what in failing((await page.get(f"/log?record_id={record_id}")).text)


async def test_what_is_no_records_id_is_refused_in_words(page: Page, log: Log) -> None:
    log.grow(1)
    answer = await page.post("/log", {"record_id": "4711"})
    assert answer.status_code == 422
    assert "That is no record&#39;s id" in answer.text


async def test_the_checkpoint_can_be_kept_as_a_file(page: Page, log: Log) -> None:
    note = log.grow(12)
    answer = await page.get("/log/checkpoint")
    assert answer.text == note
    assert f'filename="checkpoint-{AGENCY}-12.txt"' in answer.headers["content-disposition"]
    assert len(b64decode(note.split("\n")[2])) == 32


async def test_a_newest_checkpoint_that_its_own_key_did_not_sign_says_so(
    page: Page, log: Log
) -> None:
    log.grow(3)
    other = SignerKey(log.signer.name, Ed25519PrivateKey.generate())
    log.double.canned.answer("GET", f"{_LOG}/key", str(other.verifier))
    assert "is not signed by the key that the server gives" in (await page.get("/log")).text


async def test_a_checkpoint_of_the_key_before_is_checked_through_the_hand_over(
    page: Page, log: Log
) -> None:
    held, old = log.grow(40), log.signer
    log.hand_over(SignerKey(old.name, Ed25519PrivateKey.generate()))
    log.grow(300)
    log.proves(40)
    for key in ("", str(old.verifier), str(log.signer.verifier)):
        html = await check(page, held, key)
        assert _WHOLE in html
        assert "Entry 40:" in html
        assert html.count('class="check" data-holds="yes"') == 8
    answer = log.includes(123)
    html = (
        await page.post("/log", {"record_id": answer["record_id"], "key": str(old.verifier)})
    ).text
    assert "The record is in the log" in html


async def test_a_hand_over_that_is_forged_or_not_in_the_log_is_found_out(
    page: Page, log: Log
) -> None:
    held, old = log.grow(40), log.signer
    new = SignerKey(old.name, Ed25519PrivateKey.generate())
    log.entries.append(hand_over(log.entries, old, new, forger=new))
    log.hand_overs, log.signer = [40], new
    log.grow(5)
    log.proves(40)
    assert "handed over by the one before it" in failing(await check(page, held))
    log.entries[40] = hand_over(log.entries[:40], old, new)
    log.serve()
    true = log.double.canned.answers["GET", f"{_LOG}/hand-overs"]
    log.entries[40] = _entry(40)
    log.hand_overs = []
    log.serve()
    assert "not signed by" in failing(await check(page, held))
    log.double.canned.answer("GET", f"{_LOG}/hand-overs", true)
    assert "is an entry of the log" in failing(await check(page, held))
    log.double.canned.answer("GET", f"{_LOG}/hand-overs", {"items": [{"index": "x"}]})
    assert "handed over by the one before it" in failing(await check(page, held))
