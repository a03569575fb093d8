// Checks a log with the Go team's own packages: signatures, tree, inclusion and consistency proofs,
// and the entries by which one signing key handed the log over to the next.
//
// Usage: tlog FOLDER VERIFIER_KEY... FOLDER has the log's files (checkpoint, tile/…) and proofs.json.
// Of the keys at least one has to be the log's. It exits 0 and prints "good SIZE", or exits 1 with
// what is wrong.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proofs struct {
	Inclusion []struct {
		Index int64    `json:"index"`
		Path  []string `json:"path"`
	} `json:"inclusion"`
	Consistency []struct {
		Held string   `json:"held"`
		Path []string `json:"path"`
	} `json:"consistency"`
}

// hashes keeps every hash of the tree in memory, where tlog.StoredHashIndex says.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, i := range indexes {
		found = append(found, h[i])
	}
	return found, nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: tlog FOLDER VERIFIER_KEY...")
		os.Exit(2)
	}
	size, err := check(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bad:", err)
		os.Exit(1)
	}
	fmt.Println("good", size)
}

func check(folder string, keys []string) (int64, error) {
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return 0, err
	}
	var known []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return 0, err
		}
		known = append(known, verifier)
	}
	// Whose signature counts, the log says itself: so far this is a claim.
	claimed, err := claim(signed, known)
	if err != nil {
		return 0, err
	}
	stored, entries, err := replay(folder, claimed.size)
	if err != nil {
		return 0, err
	}
	chain, err := handOvers(stored, entries)
	if err != nil {
		return 0, err
	}
	if err := anchor(chain, known); err != nil {
		return 0, err
	}
	now, err := open(signed, chain, known)
	if err != nil {
		return 0, err
	}
	computed, err := tlog.TreeHash(now.size, stored)
	if err != nil {
		return 0, err
	}
	if computed != now.root {
		return 0, fmt.Errorf("the entries do not hash to the checkpoint's root")
	}
	return now.size, checkProofs(folder, now, chain, known, stored, entries)
}

// replay reads the entry bundles and hashes them as they were appended.
func replay(folder string, size int64) (hashes, [][]byte, error) {
	var stored hashes
	var entries [][]byte
	for begin := int64(0); begin < size; begin += 256 {
		width := min(256, size-begin)
		data, err := os.ReadFile(filepath.Join(folder, bundlePath(begin/256, width)))
		if err != nil {
			return nil, nil, err
		}
		for n := int64(0); n < width; n++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, nil, fmt.Errorf("bundle %d is cut off", begin/256)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			entries = append(entries, data[2:end])
			added, err := tlog.StoredHashes(begin+n, data[2:end], stored)
			if err != nil {
				return nil, nil, err
			}
			stored = append(stored, added...)
			data = data[end:]
		}
		if len(data) != 0 {
			return nil, nil, fmt.Errorf("bundle %d is too long", begin/256)
		}
	}
	return stored, entries, nil
}

func bundlePath(index, width int64) string {
	path := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		path = fmt.Sprintf("x%03d/%s", rest%1000, path)
	}
	if width < 256 {
		path = fmt.Sprintf("%s.p/%d", path, width)
	}
	return "tile/entries/" + path
}

func checkProofs(
	folder string, now checkpoint, chain []handOver, known []note.Verifier, stored hashes, entries [][]byte,
) error {
	data, err := os.ReadFile(filepath.Join(folder, "proofs.json"))
	if err != nil {
		return err
	}
	var given proofs
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	for _, p := range given.Inclusion {
		path, err := decode(p.Path)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash(entries[p.Index])
		if err := tlog.CheckRecord(tlog.RecordProof(path), now.size, now.root, p.Index, leaf); err != nil {
			return fmt.Errorf("inclusion of %d: %w", p.Index, err)
		}
	}
	for _, p := range given.Consistency {
		path, err := decode(p.Path)
		if err != nil {
			return err
		}
		old, err := open([]byte(p.Held), chain, known)
		if err != nil {
			return fmt.Errorf("held checkpoint: %w", err)
		}
		if err := tlog.CheckTree(tlog.TreeProof(path), now.size, now.root, old.size, old.root); err != nil {
			return fmt.Errorf("consistency with %d: %w", old.size, err)
		}
	}
	return nil
}

func decode(encoded []string) ([]tlog.Hash, error) {
	var path []tlog.Hash
	for _, text := range encoded {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, fmt.Errorf("%q is no hash", text)
		}
		path = append(path, tlog.Hash(raw))
	}
	return path, nil
}
