package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type checkpoint struct {
	size int64
	root tlog.Hash
}

// handOver is an entry by which `old`, which vouches for the first `size` entries, made `new` the
// log's key.
type handOver struct {
	size     int64
	old, new note.Verifier
}

// claim reads a checkpoint that perhaps none of the keys signed.
func claim(signed []byte, keys []note.Verifier) (checkpoint, error) {
	opened, err := note.Open(signed, note.VerifierList(keys...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		opened, err = unverified.Note, nil
	}
	if err != nil {
		return checkpoint{}, err
	}
	return parse(strings.Split(opened.Text, "\n"), keys[0].Name())
}

// open reads a checkpoint that the key of its size signed; with no hand-over, one of those known.
func open(signed []byte, chain []handOver, known []note.Verifier) (checkpoint, error) {
	claimed, err := claim(signed, known)
	if err != nil {
		return checkpoint{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(keysAt(claimed.size, chain, known)...))
	if err != nil {
		return checkpoint{}, err
	}
	return parse(strings.Split(opened.Text, "\n"), known[0].Name())
}

func parse(lines []string, origin string) (checkpoint, error) {
	if len(lines) < 4 || lines[0] != origin {
		return checkpoint{}, fmt.Errorf("not a checkpoint of %s", origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return checkpoint{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return checkpoint{size, root}, err
}

func keysAt(size int64, chain []handOver, known []note.Verifier) []note.Verifier {
	if len(chain) == 0 {
		return known
	}
	key := chain[0].old
	for _, one := range chain {
		if one.size < size {
			key = one.new
		}
	}
	return []note.Verifier{key}
}

// handOvers finds the log's hand-overs, each signed by both its keys, in its place, over the tree
// before it, and by the key that the one before made the log's.
func handOvers(stored hashes, entries [][]byte) ([]handOver, error) {
	var chain []handOver
	for index, entry := range entries {
		statement, is := statementIn(entry)
		if !is {
			continue
		}
		found, err := readHandOver(statement, int64(index), stored)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		if n := len(chain); n > 0 && !same(chain[n-1].new, found.old) {
			return nil, fmt.Errorf("entry %d: handed over by a key that does not sign any more", index)
		}
		chain = append(chain, found)
	}
	return chain, nil
}

// statementIn tells what a hand-over's entry states. It is one by what its JSON object itself says:
// an access holds what people typed, as objects, too, and begins otherwise.
func statementIn(entry []byte) (string, bool) {
	if !bytes.HasPrefix(entry, []byte(`{"agency_id":`)) || !bytes.Contains(entry, []byte(`"kind":"log.key_rotated"`)) {
		return "", false
	}
	var said map[string]any // a struct would take "Kind" for "kind"
	if json.Unmarshal(entry, &said) != nil {
		return "", true // begins as one, and states nothing that can be read
	}
	if said["kind"] != "log.key_rotated" {
		return "", false
	}
	statement, _ := said["statement"].(string)
	return statement, true
}

func readHandOver(statement string, index int64, stored hashes) (handOver, error) {
	lines := strings.Split(statement, "\n")
	if len(lines) < 7 || lines[0] != "alpr log key hand-over v1" || lines[6] != "" {
		return handOver{}, fmt.Errorf("not a statement that hands over")
	}
	old, err := note.NewVerifier(lines[4])
	if err != nil {
		return handOver{}, err
	}
	new, err := note.NewVerifier(lines[5])
	if err != nil {
		return handOver{}, err
	}
	opened, err := note.Open([]byte(statement), note.VerifierList(old, new))
	if err != nil {
		return handOver{}, err
	}
	if len(opened.Sigs) != 2 || old.Name() != new.Name() {
		return handOver{}, fmt.Errorf("not signed by both keys")
	}
	covered, err := parse(lines[1:], old.Name())
	if err != nil {
		return handOver{}, err
	}
	root, err := tlog.TreeHash(covered.size, stored)
	if err != nil || covered.size != index || root != covered.root {
		return handOver{}, fmt.Errorf("hands over another log than the one before it")
	}
	return handOver{covered.size, old, new}, nil
}

// anchor asks for a known key among those that handed the log over or took it over.
func anchor(chain []handOver, known []note.Verifier) error {
	for _, one := range chain {
		for _, key := range known {
			if same(key, one.old) || same(key, one.new) {
				return nil
			}
		}
	}
	if len(chain) > 0 {
		return fmt.Errorf("none of the log's keys is known")
	}
	return nil // one of the known keys has to have signed
}

func same(a, b note.Verifier) bool {
	return a.Name() == b.Name() && a.KeyHash() == b.KeyHash()
}
