---@meta jangada.lab

-- What the lab gives: worlds, with their nodes and clients. types/lab.lua has what it takes. A call
-- with a wrong argument raises an error object (jangada.errors) and changes nothing; `code` is one
-- of the names after "Raises".

--- A message on its way: exactly the table that its receiver gets.
---@class jangada.lab.Message
---@field src string
---@field dest string
---@field body table plain data with a string `type`

--- Something that was laid upon links: for `mend`.
---@class jangada.lab.Layer

---@class jangada.lab.Report
---@field seed integer
---@field verdict jangada.Verdict|nil
---@field hash string as World:hash
---@field time_ms number
---@field events integer
---@field timers integer that have fired
---@field sent integer messages
---@field delivered integer
---@field lost integer
---@field corrupted integer of those that were lost
---@field duplicated integer beyond those that were sent
---@field marks table<string, integer> how often node:reached was called, by name
---@field nodes {id: string, up: boolean, boots: integer, state: any}[]

-- ---- World ---------------------------------------------------------------------------------

--- Nodes, their network, their disks and their time, all simulated and all from one seed. It is to
--- be closed.
---@class jangada.World
---@field seed integer
---@field time_us integer now
---@field verdict jangada.Verdict|nil once something is wrong
---@field plan jangada.lab.Fault[]
---@field nodes jangada.Machine[]
---@field ids string[] of the nodes, by index
---@field marks table<string, integer> name -> how often node:reached was called with it
---@field config jangada.lab.Options with the defaults
---@field events integer so far
---@field sent integer messages
---@field delivered integer messages
---@field lost integer messages
---@field closed boolean
local World = {}

-- ---- World: Nodes, clients and results -----------------------------------------------------

--- The machine of a node. Raises unknown_node.
---@param which jangada.lab.Which index, id, or `leader`
---@return jangada.Machine
function World:node(which) end

--- Crashes a node: what its disk has flushed stays, of what it has not any prefix. Raises
--- world_busy, unknown_node, option_invalid.
---@param which jangada.lab.Which
---@param accident? {keep: integer|nil, tail: "cut"|"torn"|"scribbled"|nil} how many commits that
--- were not flushed survive, and what is behind these in the journal; what it does not say is drawn
---@return boolean crashed false when it was down
function World:crash(which, accident) end

--- Boots a crashed node from its store. Raises world_busy, unknown_node.
---@param which jangada.lab.Which
---@return boolean restarted false when it was up, or is lost for good
function World:restart(which) end

--- Stops a node without ending it: what comes up for it waits. Raises world_busy, unknown_node.
---@param which jangada.lab.Which
---@return boolean paused false when it was down or paused
function World:pause(which) end

--- Lets a paused node go on: all that waited comes at once, in its order. Raises world_busy,
--- unknown_node.
---@param which jangada.lab.Which
---@return boolean resumed false when it was not paused
function World:resume(which) end

--- The client of that id, made if there is none.
---@param id string
---@return jangada.lab.Client
function World:client(id) end

--- Asks a node as client `c0` and runs the world until the answer is there. Raises world_busy,
--- not_plain.
---@param which jangada.lab.Which
---@param body table plain data with a string `type`
---@param timeout_ms number|nil default 1000
---@return table|nil body of the reply, nil when there was none in time
function World:request(which, body, timeout_ms) end

--- Lets an invariant look at this world from now on. It is told of no boot, turn or commit before.
--- Raises option_invalid.
---@param invariant jangada.lab.Invariant
function World:watch(invariant) end

--- The hash of everything that has happened.
---@return string hexadecimal, 16 digits: the same for the same seed, in every process
function World:hash() end

--- What the run was.
---@return jangada.lab.Report
function World:report() end

--- Closes the stores and removes the files, unless they are in a directory the user named.
function World:close() end

-- ---- World: Time and verdicts --------------------------------------------------------------

--- Ends the run with a verdict, unless it has one. Raises argument_invalid.
---@param fields table of jangada.Verdict, but for the time
function World:fail(fields) end

--- Ends a run: asks for progress, if the option `liveness` has it, and judges what can be judged
--- only then, such as what clients were told in all of it. A world that has a verdict keeps it.
--- Raises world_busy, world_closed.
---@return jangada.Verdict|nil verdict nil when all is well
function World:finish() end

--- Runs a function later. Raises delay_invalid, argument_invalid.
---@param ms number from now
---@param fn fun(world: jangada.World)
function World:after(ms, fn) end

--- Runs the world for some simulated time, or until it has a verdict. Raises argument_invalid,
--- world_busy, world_closed.
---@param ms number
---@return jangada.Verdict|nil verdict nil when all is well
function World:run(ms) end

--- Runs the world until a condition holds, which is looked at after each event. Raises world_busy,
--- world_closed.
---@param is_done fun(world: jangada.World): any
---@param limit_ms number how long to run at most
---@return boolean done false when time was up or the run got a verdict
function World:run_until(is_done, limit_ms) end

--- Takes one event. Raises world_busy, world_closed.
---@return boolean taken false when none waits, or the run has a verdict
function World:step() end

-- ---- World: Progress -----------------------------------------------------------------------

--- Makes a core of nodes well, drawn from the seed; all that is wrong beyond it stays so for good,
--- and no fault of the plan begins or ends any more. Raises world_busy.
---@return string[]|nil ids nil when so many nodes are lost that no majority is left
function World:heal_core() end

-- ---- World: Who decides --------------------------------------------------------------------

--- Lists what can happen next, in the order of time.
---@return jangada.Pending[]
function World:pending() end

--- Lets one event happen next. The clock goes to when it is due, if that is ahead; what is overdue
--- then comes when it is taken. Raises event_gone, world_busy, world_closed.
---@param pending jangada.Pending of `World:pending`, since the last event
---@param time_us? integer when it happens, instead
---@return boolean taken false when the world has a verdict
function World:take(pending, time_us) end

--- Lets a message get lost. Raises event_gone, argument_invalid for what is no message, world_busy,
--- world_closed.
---@param pending jangada.Pending of `World:pending`, since the last event
---@return boolean discarded false when the world has a verdict
function World:discard(pending) end

-- ---- World: The network --------------------------------------------------------------------

--- Partitions the network: endpoints of different groups do not reach each other. Nodes that no
--- group names form one more; clients that no group names reach all. Raises world_busy,
--- unknown_node, option_invalid.
---@param ... (jangada.lab.Which)[] groups, or one list of groups
function World:partition(...) end

--- Ends the partition; cuts stay. Raises world_busy.
function World:rejoin() end

--- Ends the partition, and all cuts. Raises world_busy.
function World:heal() end

--- Changes the share of messages that get lost. Raises world_busy, option_invalid.
---@param rate number|nil 0..1; nil restores what the world was made with
function World:set_loss(rate) end

--- Changes the share of messages that arrive twice, each time with a delay of its own. Raises
--- world_busy, option_invalid.
---@param rate number|nil 0..1; nil restores what the world was made with
function World:set_duplication(rate) end

--- Changes the share of messages that are damaged on their way, which is noticed: they are dropped.
--- Raises world_busy, option_invalid.
---@param rate number|nil 0..1; nil restores what the world was made with
function World:set_corruption(rate) end

--- Changes the delay of messages. Raises world_busy, option_invalid.
---@param law jangada.lab.DelayLaw|nil nil restores what the world was made with
function World:set_delay(law) end

--- Lets a share of messages come late, so that others overtake them, even where order is kept.
--- Raises world_busy, option_invalid.
---@param rate number|nil 0..1; nil for none
---@param late_ms table|nil a law of how much later (jangada.lab.delays), default {10, 200}
function World:set_reorder(rate, late_ms) end

--- Says whether links keep the order of their messages, of those that leave from now on. Raises
--- world_busy, option_invalid.
---@param fifo boolean|nil nil restores what the world was made with
function World:set_fifo(fifo) end

--- Ends a cut, a clog or a slowness. Raises world_busy, option_invalid.
---@param layer jangada.lab.Layer|nil what the verb that began it returned
---@return boolean mended false when it was over
function World:mend(layer) end

--- Cuts one way: what `from` sends does not reach `to`. Raises world_busy, unknown_node,
--- option_invalid.
---@param from jangada.lab.Which|jangada.lab.Which[]
---@param to jangada.lab.Which|jangada.lab.Which[]
---@return jangada.lab.Layer layer for `mend`
function World:one_way(from, to) end

--- Cuts between two of them, or two lists, both ways; all others reach both. Raises world_busy,
--- unknown_node, option_invalid.
---@param from jangada.lab.Which|jangada.lab.Which[]
---@param to jangada.lab.Which|jangada.lab.Which[]
---@return jangada.lab.Layer layer for `mend`
function World:partial(from, to) end

--- Cuts one node off from all others, and from the clients there are. Raises world_busy,
--- unknown_node.
---@param which jangada.lab.Which `leader` for the leader only
---@return jangada.lab.Layer|nil layer for `mend`; nil when it is `leader` and all nodes are down
function World:isolate(which) end

--- Cuts the nodes into two sides that reach each other only through one node. Raises world_busy,
--- unknown_node.
---@param which jangada.lab.Which
---@param side (jangada.lab.Which)[]|nil one side; nil for the first half of the other nodes
---@return jangada.lab.Layer|nil layer for `mend`; nil when it is `leader` and all nodes are down
function World:bridge(which, side) end

--- Cuts the nodes into a ring: each reaches only its two neighbours. Raises world_busy,
--- unknown_node, option_invalid.
---@param order (jangada.lab.Which)[]|nil all nodes, around the ring; nil for their own order
---@return jangada.lab.Layer layer for `mend`
function World:ring(order) end

--- Cuts all links between nodes but those of one: the others reach only it. Raises world_busy,
--- unknown_node.
---@param which jangada.lab.Which
---@return jangada.lab.Layer|nil layer for `mend`; nil when it is `leader` and all nodes are down
function World:star(which) end

--- Isolates a node again and again, with time between. Raises world_busy, unknown_node,
--- option_invalid.
---@param which jangada.lab.Which
---@param cut_ms number how long each time
---@param open_ms number how long it is not
---@return jangada.lab.Layer|nil layer for `mend`; nil when it is `leader` and all nodes are down
function World:flapping(which, cut_ms, open_ms) end

--- Gives some links a slower delay, or a quicker one. Raises world_busy, unknown_node,
--- option_invalid.
---@param from jangada.lab.Which|jangada.lab.Which[]|nil nil for all there are
---@param to jangada.lab.Which|jangada.lab.Which[]|nil nil for all there are
---@param law jangada.lab.DelayLaw of delay (jangada.lab.delays)
---@return jangada.lab.Layer layer for `mend`
function World:slow(from, to, law) end

--- Limits how many messages some links carry: each link so many a second, one after the other; what
--- comes meanwhile waits, and what finds too many waiting is lost. Raises world_busy, unknown_node,
--- option_invalid.
---@param from jangada.lab.Which|jangada.lab.Which[]|nil nil for all there are
---@param to jangada.lab.Which|jangada.lab.Which[]|nil nil for all there are
---@param per_second integer messages, 1 to 1,000,000
---@param waiting? integer how many may be under way on a link, default 100
---@return table layer for `mend`
function World:capacity(from, to, per_second, waiting) end

--- Clogs some links: what is sent on them from now on is held, and leaves when that is over. Raises
--- world_busy, unknown_node.
---@param from jangada.lab.Which|jangada.lab.Which[]|nil nil for all there are
---@param to jangada.lab.Which|jangada.lab.Which[]|nil nil for all there are
---@return jangada.lab.Layer layer for `mend`
function World:clog(from, to) end

-- ---- World: Clocks -------------------------------------------------------------------------

--- Changes the clock of a node. Raises world_busy, unknown_node, option_invalid.
---@param which jangada.lab.Which
---@param how {rate: number|nil, offset_ms: number|nil}|nil `rate`, 0 to 4: how quickly it goes, and
--- timers with it; `offset_ms`: how far ahead node:now is, beyond what its rate has made of it.
--- What is not named stays; nil: it goes as it should from now on, without an offset
function World:set_clock(which, how) end

--- Lets what node:now says jump, once. Raises world_busy, unknown_node, option_invalid.
---@param which jangada.lab.Which
---@param ms number forward; less than 0: back
function World:step_clock(which, ms) end

-- ---- World: Slow disks ---------------------------------------------------------------------

--- Says how long the disk of a node, or of all, takes for a flush. Raises world_busy, unknown_node,
--- option_invalid.
---@param which jangada.lab.Which|nil nil for all
---@param law jangada.lab.DelayLaw|nil nil restores what the world was made with
function World:set_flush(which, law) end

-- ---- World: Disks that fail ----------------------------------------------------------------

--- Lets the disk of a node fail the next time that it is used. Raises world_busy, unknown_node,
--- option_invalid.
---@param which jangada.lab.Which
---@param call? "write"|"flush" in which call, default "write"
---@param failure? "EIO"|"ENOSPC" how, default "EIO"
function World:fail_disk(which, call, failure) end

--- Lets the disk of a node serve again, and boots the node if it has stopped because of its disk.
--- Raises world_busy, unknown_node.
---@param which jangada.lab.Which
---@return boolean mended false when it does not fail
function World:mend_disk(which) end

--- Flips a bit of an entry in a node's log, the bucket `replog`. Who finds that stops for good.
--- Raises world_busy, unknown_node; option_invalid when as many nodes as a majority can spare have
--- rot already.
---@param which jangada.lab.Which
---@param index? integer of the entry; drawn without it
---@return integer|nil index nil when the node is down, or has no such entry
function World:rot(which, index) end

--- Crashes a node, if it is up, and empties its disk: it boots again with nothing. Raises
--- world_busy, unknown_node; option_invalid unless the world is hopeless.
---@param which jangada.lab.Which
---@return boolean wiped false when there is no such node now
function World:wipe(which) end

--- Crashes two nodes, those of them that are up, and changes their disks: each boots again with
--- what the other has stored. Raises world_busy, unknown_node; option_invalid unless the world is
--- hopeless.
---@param which jangada.lab.Which
---@param other jangada.lab.Which
---@return boolean swapped false when they are one node, or there is no such node now
function World:swap_disks(which, other) end

--- Lets the flushes of a node's disk lie: they succeed and keep nothing. Raises world_busy,
--- unknown_node; option_invalid unless the world is hopeless, and its disks are simulated.
---@param which jangada.lab.Which
---@param lies boolean
---@return boolean set false when there is no such node now
function World:set_lying(which, lies) end

-- ---- Client --------------------------------------------------------------------------------

--- Code outside of the cluster that asks its nodes.
---@class jangada.lab.Client
---@field id string
---@field world jangada.World
local Client = {}

--- Sends a message. It may get lost. Raises unknown_destination, body_invalid, not_plain.
---@param dest string a node
---@param body table plain data with a string `type`
function Client:send(dest, body) end

--- Sends a message and calls a function with the body of the reply, or with nil when there was none
--- in time. `msg_id` is set. Raises unknown_destination, body_invalid, not_plain, delay_invalid,
--- argument_invalid.
---@param dest string a node
---@param body table plain data with a string `type`
---@param timeout_ms number
---@param fn fun(body: table|nil)
function Client:request(dest, body, timeout_ms, fn) end

--- Says what is to be done with messages of a type that answer no request of this client. Raises
--- argument_invalid.
---@param kind string the `type` in the message's body
---@param fn fun(message: jangada.lab.Message)
function Client:on(kind, fn) end

--- Says that this client was told that something is committed: the invariants judge by it. Raises
--- argument_invalid.
---@param data string as nodes tell it by node:committed
function Client:acknowledged(data) end

--- Runs a function later. Raises delay_invalid, argument_invalid.
---@param ms number from now
---@param fn fun()
function Client:after(ms, fn) end
