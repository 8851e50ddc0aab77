// SPDX-License-Identifier: MIT
//
// etcd's Raft core in memory: three nodes, messages that arrive at once and in order, and a client
// with a window of commands on their way. bench/raft_core.lua does the same with ours.
//
// usage: etcd_raft each|all|batch SIZE WINDOW
//
//	each: a node acts upon each message by itself; all: upon all that have come, together; batch:
//	so, and what the window has room for is one proposal
//
// A line of standard input is a turn: how many commands to commit. It is answered with the seconds
// they took; the end of the input with a JSON object: who, commits, messages.

package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/raft"
	"go.etcd.io/etcd/raft/raftpb"
)

const members = 3

type member struct {
	core    *raft.RawNode
	storage *raft.MemoryStorage
	inbox   []raftpb.Message
}

type cluster struct {
	all       [members + 1]*member // by id, from 1
	queue     []raftpb.Message     // of "each": what is on its way, in order
	together  bool                 // "all", "batch"
	batches   bool                 // "batch"
	committed int                  // commands, on the leader
	messages  int
}

func newCluster(how string) (*cluster, error) {
	c := &cluster{together: how != "each", batches: how == "batch"}
	quiet := &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}
	snapshot := raftpb.Snapshot{Metadata: raftpb.SnapshotMetadata{Index: 1, Term: 1,
		ConfState: raftpb.ConfState{Voters: []uint64{1, 2, 3}}}}
	for id := uint64(1); id <= members; id++ {
		storage := raft.NewMemoryStorage()
		if err := storage.ApplySnapshot(snapshot); err != nil {
			return nil, err
		}
		core, err := raft.NewRawNode(&raft.Config{ID: id, ElectionTick: 10, HeartbeatTick: 1,
			Storage: storage, Applied: 1, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256,
			CheckQuorum: true, PreVote: true, Logger: quiet})
		if err != nil {
			return nil, err
		}
		c.all[id] = &member{core: core, storage: storage}
	}
	if err := c.all[1].core.Campaign(); err != nil {
		return nil, err
	}
	return c, c.run(func() error { return c.act(c.all[1]) })
}

// act does what a node asks for: saves, applies, sends.
func (c *cluster) act(m *member) error {
	for m.core.HasReady() {
		ready := m.core.Ready()
		if !raft.IsEmptyHardState(ready.HardState) {
			if err := m.storage.SetHardState(ready.HardState); err != nil {
				return err
			}
		}
		if err := m.storage.Append(ready.Entries); err != nil {
			return err
		}
		for i := range ready.CommittedEntries {
			if m == c.all[1] && len(ready.CommittedEntries[i].Data) > 0 {
				c.committed++
			}
		}
		for _, message := range ready.Messages {
			if c.together {
				to := c.all[message.To]
				to.inbox = append(to.inbox, message)
			} else {
				c.queue = append(c.queue, message)
			}
		}
		m.core.Advance(ready)
	}
	return nil
}

// step delivers what comes next; false: there is nothing.
func (c *cluster) step() (bool, error) {
	if !c.together {
		if len(c.queue) == 0 {
			return false, nil
		}
		message := c.queue[0]
		c.queue = c.queue[1:]
		c.messages++
		to := c.all[message.To]
		if err := to.core.Step(message); err != nil {
			return true, err
		}
		return true, c.act(to)
	}
	any := false
	for id := 1; id <= members; id++ {
		m := c.all[id]
		inbox := m.inbox
		m.inbox = nil
		for _, message := range inbox {
			c.messages++
			any = true
			if err := m.core.Step(message); err != nil {
				return true, err
			}
		}
		if err := c.act(m); err != nil {
			return true, err
		}
	}
	return any, nil
}

// run delivers until nothing is on its way; before each step the client may do something.
func (c *cluster) run(client func() error) error {
	for more := true; more; {
		if err := client(); err != nil {
			return err
		}
		var err error
		if more, err = c.step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) commit(count, window int, data []byte) error {
	proposed, begin := 0, c.committed
	err := c.run(func() error {
		room := window - (proposed - (c.committed - begin))
		if room > count-proposed {
			room = count - proposed
		}
		if c.batches && room > 0 {
			entries := make([]raftpb.Entry, room)
			for i := range entries {
				entries[i].Data = data
			}
			proposed += room
			room = 0
			proposal := raftpb.Message{Type: raftpb.MsgProp, From: 1, Entries: entries}
			if err := c.all[1].core.Step(proposal); err != nil {
				return err
			}
		}
		for ; room > 0; room-- {
			if err := c.all[1].core.Propose(data); err != nil {
				return err
			}
			proposed++
			if !c.together {
				if err := c.act(c.all[1]); err != nil {
					return err
				}
			}
		}
		if c.together {
			return c.act(c.all[1])
		}
		return nil
	})
	if err == nil && c.committed-begin != count {
		err = fmt.Errorf("%d of %d commands were committed", c.committed-begin, count)
	}
	return err
}

func serve(how string, size, window int) error {
	c, err := newCluster(how)
	if err != nil {
		return err
	}
	data, commits, begin := []byte(strings.Repeat("x", size)), 0, c.messages
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		count, err := strconv.Atoi(strings.TrimSpace(input.Text()))
		if err != nil || count < 1 {
			return fmt.Errorf("a turn is a number of commits, not %q", input.Text())
		}
		started := time.Now()
		if err := c.commit(count, window, data); err != nil {
			return err
		}
		commits += count
		fmt.Printf("%.6f\n", time.Since(started).Seconds())
	}
	fmt.Printf(`{"who":"etcd","commits":%d,"messages":%d}`+"\n", commits, c.messages-begin)
	return nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("etcd_raft: ")
	if len(os.Args) != 4 || !strings.Contains(" each all batch ", " "+os.Args[1]+" ") {
		log.Fatal("usage: etcd_raft each|all|batch SIZE WINDOW")
	}
	size, err := strconv.Atoi(os.Args[2])
	if err != nil || size < 1 {
		log.Fatalf("SIZE is a number of bytes, not %q", os.Args[2])
	}
	window, err := strconv.Atoi(os.Args[3])
	if err != nil || window < 1 {
		log.Fatalf("WINDOW is a number of commands, not %q", os.Args[3])
	}
	if err := serve(os.Args[1], size, window); err != nil {
		log.Fatal(err)
	}
}
