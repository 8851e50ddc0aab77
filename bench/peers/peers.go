// SPDX-License-Identifier: MIT
//
// Durable appends to bbolt, to hashicorp's raft-boltdb and to etcd's write-ahead log, each as its
// users do them.
//
// usage: peers bbolt|raft-boltdb|etcd-wal DIRECTORY SIZE BATCH     (see bench/turns.lua)
//
// Debian's packages hold all it needs; it is built with GO111MODULE=off GOPATH=/usr/share/gocode.

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/raft/raftpb"
	"go.etcd.io/etcd/wal"
	"go.uber.org/zap"
)

// appendBatch appends a batch durably; first is the index of its first entry.
type appendBatch func(first uint64) error

func openBbolt(directory string, data []byte, batch int) (appendBatch, error) {
	db, err := bbolt.Open(filepath.Join(directory, "bolt.db"), 0600, nil)
	if err != nil {
		return nil, err
	}
	name := []byte("replog")
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(name)
		return err
	})
	return func(first uint64) error {
		return db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(name)
			bucket.FillPercent = 0.9 // its advice for keys that only grow
			for i := uint64(0); i < uint64(batch); i++ {
				key := make([]byte, 8)
				binary.BigEndian.PutUint64(key, first+i)
				if err := bucket.Put(key, data); err != nil {
					return err
				}
			}
			return nil
		})
	}, err
}

func openRaftBoltdb(directory string, data []byte, batch int) (appendBatch, error) {
	store, err := raftboltdb.NewBoltStore(filepath.Join(directory, "raft.db"))
	if err != nil {
		return nil, err
	}
	entries := make([]raft.Log, batch)
	pointers := make([]*raft.Log, batch)
	for i := range entries {
		entries[i] = raft.Log{Term: 1, Type: raft.LogCommand, Data: data}
		pointers[i] = &entries[i]
	}
	return func(first uint64) error {
		for i := range entries {
			entries[i].Index = first + uint64(i)
		}
		return store.StoreLogs(pointers)
	}, nil
}

func openEtcdWal(directory string, data []byte, batch int) (appendBatch, error) {
	w, err := wal.Create(zap.NewNop(), filepath.Join(directory, "wal"), nil)
	if err != nil {
		return nil, err
	}
	entries := make([]raftpb.Entry, batch)
	for i := range entries {
		entries[i] = raftpb.Entry{Term: 1, Type: raftpb.EntryNormal, Data: data}
	}
	return func(first uint64) error {
		for i := range entries {
			entries[i].Index = first + uint64(i)
		}
		return w.Save(raftpb.HardState{}, entries)
	}, nil
}

func percentile(sorted []float64, share float64) float64 {
	rank := int(share * float64(len(sorted)))
	if rank >= len(sorted) {
		rank = len(sorted) - 1
	}
	return sorted[rank] * 1e6
}

func report(who string, batch int, sorted []float64) {
	seconds, n := 0.0, len(sorted)
	sort.Float64s(sorted)
	for _, latency := range sorted {
		seconds += latency
	}
	fmt.Printf(`{"who":"%s","batch":%d,"commits":%d,"entries_per_s":%.1f,"commits_per_s":%.1f,`+
		`"mean_us":%.2f,"p50_us":%.2f,"p99_us":%.2f,"p999_us":%.2f,"max_us":%.2f}`+"\n",
		who, batch, n, float64(n*batch)/seconds, float64(n)/seconds, seconds/float64(n)*1e6,
		percentile(sorted, 0.5), percentile(sorted, 0.99), percentile(sorted, 0.999), sorted[n-1]*1e6)
}

func serve(who string, batch int, append_ appendBatch) error {
	latencies, index, turn := []float64{}, uint64(1), 0
	for input := bufio.NewScanner(os.Stdin); input.Scan(); turn++ {
		commits, err := strconv.Atoi(strings.TrimSpace(input.Text()))
		if err != nil || commits < 1 {
			return fmt.Errorf("a turn is a number of commits, not %q", input.Text())
		}
		seconds := 0.0
		for i := 0; i < commits; i++ {
			started := time.Now()
			if err := append_(index); err != nil {
				return err
			}
			latency := time.Since(started).Seconds()
			latencies, seconds = append(latencies, latency), seconds+latency
			index += uint64(batch)
		}
		fmt.Printf("%.6f\n", seconds)
		if turn == 0 {
			latencies = latencies[:0] // it warmed up
		}
	}
	if len(latencies) > 0 {
		report(who, batch, latencies)
	}
	return nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("peers: ")
	openers := map[string]func(string, []byte, int) (appendBatch, error){
		"bbolt": openBbolt, "raft-boltdb": openRaftBoltdb, "etcd-wal": openEtcdWal,
	}
	if len(os.Args) != 5 || openers[os.Args[1]] == nil {
		log.Fatal("usage: peers bbolt|raft-boltdb|etcd-wal DIRECTORY SIZE BATCH")
	}
	size, err := strconv.Atoi(os.Args[3])
	if err != nil || size < 1 {
		log.Fatalf("SIZE is a number of bytes, not %q", os.Args[3])
	}
	batch, err := strconv.Atoi(os.Args[4])
	if err != nil || batch < 1 {
		log.Fatalf("BATCH is a number of entries, not %q", os.Args[4])
	}
	append_, err := openers[os.Args[1]](os.Args[2], []byte(strings.Repeat("x", size)), batch)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(os.Args[1], batch, append_); err != nil {
		log.Fatal(err)
	}
}
