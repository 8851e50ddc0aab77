--- The decisions of Raft, each a small function named after what it decides.
--
-- The other files move messages, entries and timers; whenever the paper says "if", they ask here. A
-- variant of Raft, or a planted bug, replaces one of them: `raft.with{ may_vote_for = ... }`.
-- They decide from their arguments alone and change nothing. Sections are those of the extended
-- Raft paper (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm").

local rules = {}

--- 5.3: how many members commit what they hold: a majority of all, whoever happens to be up. Any so
--- many share one with any that elect.
---@param count integer how many agree, the server itself included
---@param members integer the size of the whole cluster
---@return boolean
function rules.is_quorum(count, members)
  return count > members // 2
end

--- 5.2: how many members elect a leader.
---@param votes integer
---@param members integer the size of the whole cluster
---@return boolean
function rules.elects(votes, members)
  return votes > members // 2
end

--- 5.1: a request or an answer of an older term has nothing to say.
---@param term integer the current term
---@param message_term integer
---@return boolean
function rules.is_stale(term, message_term)
  return message_term < term
end

--- 5.1: whoever sees a higher term makes it its own and becomes a follower.
---@param term integer the current term
---@param message_term integer
---@return boolean
function rules.adopts_term(term, message_term)
  return message_term > term
end

--- 5.2: the vote belongs to its term. A server that steps down in the same term has still voted.
---@param vote string|nil
---@param term integer the term it was given in
---@param new_term integer the term of the follower to be
---@return string|nil vote
function rules.vote_on_step_down(vote, term, new_term)
  if new_term == term then return vote end
  return nil
end

--- 5.2: the time without a leader after which a follower stands for election, drawn anew for each
--- election so that rivals drift apart.
---@param node table
---@param range integer[] {least, most}
---@return integer ms
function rules.election_timeout_ms(node, range)
  return node:random(range[1], range[2])
end

--- 5.2: one vote in a term, first come, first served; the same candidate may ask again.
---@param vote string|nil who has this server's vote of the term
---@param candidate string
---@return boolean
function rules.may_vote_for(vote, candidate)
  return vote == nil or vote == candidate
end

--- 5.4.1: whether the candidate's log is at least as up to date as the voter's: the later last term
--- wins, and of equal last terms the longer log.
---@param last_term integer of the voter
---@param last_index integer of the voter
---@param candidate_term integer the term of the candidate's last entry
---@param candidate_index integer the index of the candidate's last entry
---@return boolean
function rules.is_up_to_date(last_term, last_index, candidate_term, candidate_index)
  if candidate_term ~= last_term then return candidate_term > last_term end
  return candidate_index >= last_index
end

--- Dissertation 4.2.3: whether a server takes its leader for alive: it heard from it within the
--- least election timeout.
---@param leader string|nil
---@param silent_ms number since it was heard of
---@param timeout_ms integer the least election timeout
---@return boolean
function rules.hears_leader(leader, silent_ms, timeout_ms)
  return leader ~= nil and silent_ms < timeout_ms
end

--- Dissertation 4.2.3: whether a request for a vote goes unanswered and its term unseen, so that
--- who has missed the leader does not depose it. One of an old term is answered all the same: who
--- asks learns the new one.
---@param term integer the current term
---@param message_term integer
---@param hears_leader boolean
---@return boolean
function rules.ignores_vote_request(term, message_term, hears_leader)
  return hears_leader and message_term >= term
end

--- Dissertation 9.6: whether a server would vote for a pre-candidate in the next term: its log is
--- up to date, and there is no leader.
---@param term integer the current term
---@param next_term integer that of the election to come
---@param is_up_to_date boolean the pre-candidate's log
---@param hears_leader boolean
---@return boolean
function rules.grants_pre_vote(term, next_term, is_up_to_date, hears_leader)
  return next_term > term and is_up_to_date and not hears_leader
end

--- 5.2: how many members granted their vote. A grant that arrives twice is one vote.
---@param granted table<string, boolean> by member
---@param members string[] all of them
---@return integer
function rules.count_votes(granted, members)
  local count = 0
  for _, member in ipairs(members) do
    if granted[member] then count = count + 1 end
  end
  return count
end

--- 5.4.2 and section 8: what a new leader writes first. Entries of earlier terms cannot be
--- committed by counting, so an entry of its own term, which does nothing, takes them along.
---@param term integer the leader's
---@return jangada.log.Entry|nil
function rules.first_entry_of_leader(term)
  return { term = term, type = 0, data = "" }
end

--- 5.3: the consistency check: the follower has the entry that precedes the new ones.
---@param log jangada.Log the follower's
---@param prev_index integer
---@param prev_term integer
---@return boolean
function rules.log_matches(log, prev_index, prev_term)
  return log:term(prev_index) == prev_term
end

--- 5.3: the position of the first entry that the follower lacks, or has otherwise; nil if it has
--- all. What is there already stays, with everything after it: the message may be old and late.
---@param log jangada.Log the follower's
---@param prev_index integer
---@param entries jangada.log.Entry[]
---@return integer|nil position in `entries`
function rules.first_new_entry(log, prev_index, entries)
  for position = 1, #entries do
    if log:term(prev_index + position) ~= entries[position].term then return position end
  end
  return nil
end

--- 5.3: a follower's commit index: what the leader has committed, as far as this message proved the
--- logs equal. It never falls.
---@param commit integer the follower's
---@param leader_commit integer
---@param last_verified integer the index of the last entry of the message
---@return integer commit
function rules.follower_commit(commit, leader_commit, last_verified)
  if leader_commit > last_verified then leader_commit = last_verified end
  return leader_commit > commit and leader_commit or commit
end

--- 5.3: how far a follower is known to hold the leader's log. Answers may come out of order.
---@param match integer known so far
---@param answered integer
---@return integer match
function rules.match_on_success(match, answered)
  return answered > match and answered or match
end

--- 5.3: where to try next when a follower has refused, from its hint: back over every term that the
--- two logs cannot share, never behind what is known to match.
---@param log jangada.Log the leader's
---@param match integer what is known of this follower
---@param hint_index integer the last place where the follower may agree
---@param hint_term integer its term there
---@return integer next
function rules.next_on_refusal(log, match, hint_index, hint_term)
  return math.max(match, (log:conflict_hint(hint_index, hint_term))) + 1
end

--- 5.3, 5.4.2: the leader's commit index, when a majority holds its log up to `held`. Only an
--- entry of its own term is committed by counting; those before it are committed with it.
---@param log jangada.Log the leader's
---@param term integer the leader's
---@param commit integer so far
---@param held integer
---@return integer commit
function rules.leader_commit(log, term, commit, held)
  if held > commit and log:term(held) == term then return held end
  return commit
end

--- 5.3: what a server takes for committed when it boots: what it had saved as committed. The rest
--- of its log may yet be replaced.
---@param log jangada.Log
---@return integer commit
function rules.commit_at_boot(log)
  local _, _, commit = log:hard_state()
  return commit
end

--- Flow control: whether a leader logs more, while so much of what it logged is not committed. One
--- request is always admitted, however large.
---@param uncommitted integer bytes
---@param bytes integer of the request
---@param most integer
---@return boolean
function rules.admits(uncommitted, bytes, most)
  return uncommitted == 0 or uncommitted + bytes <= most
end

--- Section 8: whether a client's command is new to a log (or to a state machine) that has all of
--- the client's commands up to `number_known`. A client numbers its commands 1, 2, 3 and so on,
--- and sends one again until it is answered.
---@param number integer
---@param number_known integer
---@return boolean
function rules.is_new_command(number, number_known)
  return number > number_known
end

--- Section 8: whether a server hands a client's commands on, to the leader it knows. What was
--- handed on already goes no further: two servers may take one another for the leader.
---@param leader string|nil
---@param via string|nil who has handed it on
---@return boolean
function rules.may_forward(leader, via)
  return leader ~= nil and via == nil
end

--- Dissertation 6.4: up to where a leader that is asked now must have applied before it answers:
--- what it knows to be committed. Until it has committed an entry of its own term, more may be, by
--- its predecessors, but nothing beyond the first entry of its term.
---@param log jangada.Log the leader's
---@param term integer the leader's
---@param commit integer
---@return integer index
function rules.read_index(log, term, commit)
  if log:term(commit) == term then return commit end
  return log:first_of_term(term) or log:last_index() + 1
end

--- Dissertation 6.4: the last round of reads that a member has confirmed, when it answers a message
--- of a round. Who answers an old one has not said that no other leader came after that.
---@param confirmed integer so far
---@param answered integer the round of the message that is answered
---@param _ integer the last round begun
---@return integer round
function rules.confirmed_round(confirmed, answered, _)
  return answered > confirmed and answered or confirmed
end

--- Dissertation 6.4: whether a leader knows that it still led when a round of reads began.
---@param held integer the last round that a majority has confirmed
---@param round integer
---@return boolean
function rules.is_round_confirmed(held, round)
  return held >= round
end

--- Dissertation 6.4.1: how long a leader holds its lease, by its own clock, from when the round
--- began that a majority has confirmed. Each of them votes for nobody else within the least
--- election timeout, by its own clock. A clock may be too slow here, and too quick there.
---@param timeout_ms integer the least election timeout
---@param drift_max_percent number by which a clock may go too quickly or too slowly
---@return number ms
function rules.lease_ms(timeout_ms, drift_max_percent)
  return timeout_ms * (100 - drift_max_percent) / (100 + drift_max_percent)
end

--- Dissertation 6.4.1: whether a leader answers reads without a round.
---@param age_ms number since the round began; less than 0 if the clock was set back
---@param lease_ms number
---@return boolean
function rules.holds_lease(age_ms, lease_ms)
  return age_ms >= 0 and age_ms < lease_ms
end

--- Dissertation 6.4.1, 4.2.3: whether a server votes for nobody, since a leader may hold a lease. A
--- server that has booted just now may have confirmed it.
---@param silent_ms number since it heard of a leader, or booted
---@param timeout_ms integer the least election timeout
---@return boolean
function rules.withholds_vote(silent_ms, timeout_ms)
  return silent_ms >= 0 and silent_ms < timeout_ms
end

--- Dissertation 6.2: a leader that has not heard from a majority for an election timeout gives up,
--- so that its clients go and look for the leader that the majority may have elected.
---@param heard integer how many members were heard of in that time, itself included
---@param members integer
---@return boolean
function rules.stays_leader(heard, members)
  return heard > members // 2
end

--- Section 7: whether it is time for a snapshot of what is applied.
---@param entries integer applied since the last one
---@param bytes integer of their data
---@param policy {entries: integer?, bytes: integer?}
---@return boolean
function rules.compacts(entries, bytes, policy)
  return policy.entries ~= nil and entries >= policy.entries
    or policy.bytes ~= nil and bytes >= policy.bytes
end

--- Section 7: whether a snapshot that a leader sends is needed. It is not if its last entry is here
--- (then what follows stays, too), or all that it covers is committed: it is an old one.
---@param log jangada.Log the follower's
---@param commit integer the follower's
---@param index integer of the snapshot's last entry
---@param term integer of it
---@return boolean
function rules.needs_snapshot(log, commit, index, term)
  return index > commit and log:term(index) ~= term
end

return rules
