---@meta jangada.lab

-- What the lab takes: the options of its worlds and clients, scenarios, faults and invariants.
-- docs/reference.md says what each is for; types/world.lua has what the lab gives. Its functions
-- are documented where they are, in lua/jangada/lab.lua.

--- A law of delay, in ms: {least, most}, {"constant", ms}, {"uniform", least, most},
--- {"exponential", least, mean} or {"long_tail", least, most}.
---@alias jangada.lab.DelayLaw (string|number)[]

--- A node: its index, its id, or "leader", whoever that is then.
---@alias jangada.lab.Which integer|string

--- The options of lab.new.
---@class jangada.lab.Options
---@field seed? integer everything undetermined comes from it; default 1
---@field nodes? integer how many, 1 to 64: n1, n2...; default 3
---@field protocol string|{source: string, name: string|nil} a path, a module, or text
---@field options? table plain data: the protocol's
---@field network? jangada.lab.NetworkOptions
---@field durability? "none"|"commit"|"journal" of the stores; default "journal", in a directory
--- "none"
---@field directory? string where the stores stay; default a temporary one
---@field disk? jangada.lab.DiskOptions
---@field faults? jangada.lab.Fault[]|jangada.lab.FaultsOptions a plan, or what to draw one by
---@field clients? (fun(client: jangada.lab.Client)|jangada.lab.ClientObject)[] c1, c2...
---@field invariants? (string|jangada.lab.Invariant|jangada.lab.InvariantFunction)[] names, packs
--- or one's own; default lab.invariants.names
---@field observe? fun(event: table, world: jangada.World) for each thing that happens
---@field events_max? integer events in all; default 10000000
---@field queue_max? integer messages and timers that wait; default 200000
---@field messages_max? integer messages on their way; default 100000
---@field memory_max? number MiB that Lua has; default 2048
---@field requests_max? integer messages that clients send, together; default without end
---@field operations_max? integer what lab.stream and lab.kv_clients do; default without end
---@field maybe_rate? number how often node:maybe is true, 0 to 1; default 0.05
---@field hopeless? boolean there may be what no protocol survives; default false
---@field liveness? jangada.lab.LivenessOptions asks for progress
---@field choose? fun(n: integer, tag: string, random: fun(): integer): integer 0 to n-1, instead of
--- the seed
---@field draws? table<string, integer[]|number> what node:random gives, by node, and `usual`

---@class jangada.lab.NetworkOptions
---@field delay_ms? jangada.lab.DelayLaw default {1, 10}
---@field loss? number share of messages, 0 to 1; default 0
---@field duplication? number default 0
---@field corruption? number default 0
---@field fifo? boolean links keep the order of messages; default false
---@field fates? jangada.lab.LinkFates[] of single messages

--- What befalls single messages of a link, by their numbers on it, from 1 on.
---@class jangada.lab.LinkFates
---@field from string
---@field to string
---@field lost? integer[] numbers
---@field arrive? integer[] numbers of those that nothing befalls
---@field delay_ms? table<integer, number|number[]> by number; two of what comes twice

---@class jangada.lab.DiskOptions
---@field flush_ms? jangada.lab.DelayLaw how long flushes take; default no time

---@class jangada.lab.FaultsOptions
---@field duration_ms? number no fault begins later or lasts longer; default 10000
---@field kinds? string[] those that may be drawn; default all of lab.faults.kinds
---@field without? string[] those that may not
---@field gap_ms? number[] {least, most} between two of a kind; default {100, 4000}

---@class jangada.lab.LivenessOptions
---@field bound_ms? number how long progress may take; default 5000
---@field after_ms? number when the core is made well; default when the world is finished
---@field progress? fun(world: jangada.World): any whether there was some since

---@class jangada.lab.StreamOptions
---@field commands string[]|fun(): string|nil the next one, nil after the last
---@field batch_max? integer commands in a request; default 64
---@field bytes_max? integer bytes in a request; default 65536
---@field timeout_ms? number how long to wait for an answer; default 500
---@field retry_ms? number how long to wait before asking again; default 20

---@class jangada.lab.KvOptions
---@field count? integer clients; default 3
---@field keys? integer how many keys they use; default 3
---@field operations? integer how many they do together; default 1000
---@field timeout_ms? integer how long to wait for an answer; default 150
---@field retry_ms? integer how long to wait after a refusal; default 20
---@field give_up_ms? integer after how long an outcome is unknown; default 1000
---@field think_ms? integer how long to wait after an operation, at most; default 10
---@field reads? number which part of the gets is read without the log, 0 to 1; default 0.5
---@field steps_max? integer steps of the model to check the history in; default 5000000

--- What the file of a scenario returns, or the function of a stream of the seed that it returns.
---@class jangada.lab.ScenarioOptions: jangada.lab.Options
---@field duration_ms? number how long to run, in simulated time; default 10000
---@field script? fun(world: jangada.World) runs the world itself; false: not that of `from`
---@field explore? table<string, integer|boolean> bounds (jangada.lab.explore.bounds)
---@field abstract? fun(world: jangada.World): string what novelty looks at
---@field marks? string[] names that node:reached is expected to be called with
---@field from? string|{scenario: string, seed: integer|nil} what is not named here is as in that
--- one

--- A client that is no function.
---@class jangada.lab.ClientObject
---@field start fun(self: jangada.lab.ClientObject, client: jangada.lab.Client)
---@field answered? integer its answers so far: liveness counts them
---@field answered_us? integer when it was answered last
---@field done? boolean it wants nothing more

--- A fault of a plan: it has what its kind has, and no more.
---@class jangada.lab.Fault
---@field at_ms number when it strikes
---@field kind string of lab.faults.kinds
---@field for_ms? number when it ends; default never
---@field node? jangada.lab.Which
---@field from? jangada.lab.Which|jangada.lab.Which[] of links; may be clients, too
---@field to? jangada.lab.Which|jangada.lab.Which[]
---@field groups? jangada.lab.Which[][] of partition
---@field side? jangada.lab.Which|jangada.lab.Which[] of bridge; default half of the others
---@field order? jangada.lab.Which|jangada.lab.Which[] of ring, around it; default their own
---@field cut_ms? number of flapping
---@field open_ms? number of flapping
---@field rate? number of loss, duplication, corruption and reorder 0 to 1, of clock_drift 0 to 4
---@field delay_ms? jangada.lab.DelayLaw of delay and slow
---@field late_ms? jangada.lab.DelayLaw of reorder
---@field flush_ms? jangada.lab.DelayLaw of slow_disk
---@field by_ms? number of clock_offset and clock_step; may be less than 0
---@field keep? integer of crash: commits that survive though they were not flushed; default drawn
---@field tail? "cut"|"torn"|"scribbled" of crash: what is behind these; default drawn
---@field call? "write"|"flush" of failing_disk
---@field error? "EIO"|"ENOSPC" of failing_disk
---@field entry? integer of bit_rot: its index in the log; default drawn
---@field other? jangada.lab.Which of disk_swap
---@field per_second? integer of capacity: messages a second, 1 to 1,000,000
---@field waiting? integer of capacity: how many may be under way; default 100

--- Is called after each turn.
---@alias jangada.lab.InvariantFunction fun(world: jangada.World, machine: jangada.Machine): string?

--- What must hold. One of turn, committed, acknowledged and finish is needed; these four return nil
--- or what is wrong.
---@class jangada.lab.Invariant
---@field name string
---@field booted? fun(self: table, machine: jangada.Machine) before a node boots
---@field look? fun(self: table, machine: jangada.Machine, wrote: boolean): any right after a turn,
--- on a slow disk
---@field turn? fun(self: table, machine: jangada.Machine, wrote: boolean, seen: any): string? when
--- a turn is durable; `seen` is what `look` returned
---@field committed? fun(self: table, machine: jangada.Machine, index: integer, term: integer,
--- data: string, hash: integer): string? when a node calls node:committed
---@field acknowledged? fun(self: table, client: jangada.lab.Client, data: string): string? when a
--- client was told so
---@field noted? fun(self: table, machine: jangada.Machine, name: string, fields: table) when a node
--- calls node:trace
---@field finish? fun(self: table): string|table|nil at world:finish; a table is a verdict's fields
