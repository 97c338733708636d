import base64
import hashlib

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadapron.ledger import tree
from leadapron.ledger.tiles import expected_files, parse_path, tile_path


def reference_root(hashes):
    """RFC 6962 section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    left, right = reference_root(hashes[:k]), reference_root(hashes[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtree_of(hashes):
    def subtree(height, index):
        width = 1 << height
        return reference_root(hashes[index * width : (index + 1) * width])

    return subtree


LEAVES = [tree.leaf_hash(str(i).encode()) for i in range(70)]


@pytest.mark.parametrize("size", range(70))
def test_roots_equal_the_definition(size):
    frontier = tree.Frontier()
    for leaf in LEAVES[:size]:
        frontier.push(leaf)
    assert frontier.root() == reference_root(LEAVES[:size])
    assert tree.range_root(subtree_of(LEAVES[:size]), 0, size) == reference_root(LEAVES[:size])


def test_roots_and_proofs_equal_pymerkle():
    judge = pymerkle.InmemoryTree(algorithm="sha256")
    for i in range(70):
        judge.append_entry(str(i).encode())
    for size in (1, 2, 3, 7, 8, 33, 64, 70):
        leaves = LEAVES[:size]
        assert reference_root(leaves) == judge.get_root(size)
        for index in range(size):
            path = tree.inclusion_path(subtree_of(leaves), index, size)
            assert tree.verify_inclusion(leaves[index], index, size, path, judge.get_root(size))
            theirs = judge.prove_inclusion(index + 1, size)
            assert theirs.compute_root() == judge.get_root(size)
            assert path == list(theirs.path)[1:]


def test_every_pair_of_sizes_is_consistent():
    subtree = subtree_of(LEAVES)
    roots = [reference_root(LEAVES[:n]) for n in range(71)]
    for new in range(41):
        for old in range(new + 1):
            path = tree.consistency_path(subtree, old, new)
            assert tree.verify_consistency(old, new, roots[old], roots[new], path)
            if 0 < old < new:
                assert not tree.verify_consistency(old, new, roots[old - 1], roots[new], path)
                assert not tree.verify_consistency(old, new, roots[old], roots[new + 1], path)
                assert not tree.verify_consistency(old, new, roots[old], roots[new], path[:-1])
                assert not tree.verify_consistency(
                    old, new, roots[old], roots[new], [*path, path[-1]]
                )


@settings(max_examples=200, deadline=None)
@given(data=st.data(), size=st.integers(1, 70))
def test_a_changed_inclusion_proof_fails(data, size):
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    path = tree.inclusion_path(subtree_of(leaves), index, size)
    root = reference_root(leaves)
    verify = tree.verify_inclusion
    assert verify(leaves[index], index, size, path, root)
    assert not verify(leaves[index], index, size, [*path, root], root)
    assert not verify(tree.leaf_hash(b"other"), index, size, path, root)
    assert not verify(leaves[index], size, size, path, root)
    assert not verify(leaves[index], -1, size, path, root)
    if path:
        spot = data.draw(st.integers(0, len(path) - 1))
        bad = [*path]
        bad[spot] = bytes([bad[spot][0] ^ 1]) + bad[spot][1:]
        assert not verify(leaves[index], index, size, bad, root)
        assert not verify(leaves[index], index, size, path[:-1], root)
        other = (index + 1) % size
        assert not verify(leaves[index], other, size, path, root)


def test_rfc6962_vectors():
    """The eight leaves that Certificate Transparency implementations share."""
    leaves = [
        bytes.fromhex(h)
        for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                  "606162636465666768696a6b6c6d6e6f")
    ]  # fmt: skip
    frontier = tree.Frontier()
    for leaf in leaves:
        frontier.push(tree.leaf_hash(leaf))
    assert frontier.root().hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )
    assert base64.b64encode(tree.EMPTY_ROOT) == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_paths_as_in_the_tlog_tiles_text():
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(-1, 0, 5) == "tile/entries/000.p/5"
    files = {path for path, *_ in expected_files(70_000)}
    assert "tile/0/273.p/112" in files
    assert {"tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} <= files
    assert sum(path.startswith("tile/0/") for path in files) == 274
    assert {path for path, *_ in expected_files(256)} == {
        "tile/entries/000", "tile/0/000", "tile/1/000.p/1",
    }  # fmt: skip
    for bad in ("tile/0/0", "tile/00/000", "tile/0/000.p/256", "tile/0/x000/001", "tile/0/000.p/0"):
        assert parse_path(bad) is None


@given(st.integers(0, 3), st.integers(0, 10**8), st.integers(1, 256))
def test_paths_round_trip(row, index, width):
    assert parse_path(tile_path(row, index, width)) == (row, index, width)
