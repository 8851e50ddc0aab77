--- `jangada demo`: replicates the lines of a file through a five-node cluster, a crash of the
--- leader and a partition, and shows from the disks that every node holds exactly that file.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local files = require "jangada.files"
local input = require "jangada.cli.input"
local lab = require "jangada.lab"
local replica = require "jangada.cli.replica"
local screens = require "jangada.cli.screen"
local store = require "jangada.store"

local thousands = screens.thousands

local demo = {}

local NODES <const> = 5
local CLIENT <const> = "c1"
local DOWN_MS <const> = 1500        -- the crashed leader's absence
local APART_MS <const> = 2000       -- the partition's length
local TIME_MAX_MS <const> = 3600000 -- of the simulation: none comes near it
local DEFAULT_INPUT <const> = "/usr/include/lmdb.h"

function demo.define(parser)
  parser:summary("Replicate a file through a crash and a partition, and compare.")
  parser:description("Submits every line of a file to a simulated five-node Raft cluster, each "
    .. "node with its own LMDB file; crashes and restarts the leader and partitions the network "
    .. "meanwhile; then reads each node's log back from disk and compares it with the file. "
    .. "Exit code 0: all agree. 1: they do not. 2: the input cannot be used.")
  parser:argument("input", "A file, - for standard input; each line is one command (default: "
    .. DEFAULT_INPUT .. ")."):args("?")
  parser:option("--seed", "Another seed is another run; the same one is the same run."):default("1")
    :convert(arguments.integer("--seed"))
  parser:option("--directory", "Where the nodes' files go (default: a new one in TMPDIR or /tmp).")
  parser:option("--durability", "Of each node's store: commit, journal or none.")
    :default("commit"):choices{ "commit", "journal", "none" }
end

-- What an earlier run left may be removed; what else bears the name may not.
local function check_ours(path)
  local file <close> = io.open(path, "rb")
  local head = file and file:read(20)
  if file and (head == nil or head:sub(17) ~= "\xDE\xC0\xEF\xBE") then -- LMDB's mark
    errors.raise("directory_invalid", "%s is there, and no store of an earlier run", path)
  end
end

-- An empty directory for this run; the files of an earlier run of the seed go.
local function prepare(args)
  local directory = args.directory and ("%s/seed-%d"):format(args.directory, args.seed)
    or files.make_temporary("jangada-demo")
  if not directory or not files.make_directory(directory) then
    errors.raise("directory_invalid", "cannot make a directory for the nodes' files%s",
      directory and ": " .. directory or "")
  end
  for i = 1, NODES do
    local path = ("%s/n%d.db"):format(directory, i)
    check_ours(path)
    files.remove_store(path)
  end
  return directory
end

---------------------------------------------------------------------------------------------------
-- What happens, in lines

local function time_of(world)
  return ("%8.3f s"):format(world.time_us / 1e6)
end

local function observer(screen)
  return function(event)
    if event.kind ~= "trace" or event.name ~= "leader" and event.name ~= "election" then return end
    local text = event.name == "leader" and "%8.3f s  %s is leader of term %d"
      or "%8.3f s  %s asks for votes in term %d"
    screen:print(text, event.time_us / 1e6, event.node, event.fields.term)
  end
end

-- The node that leads the highest term, as an index.
local function leader_of(world)
  local found, term
  for i, machine in ipairs(world.nodes) do
    local state = machine.up and machine.state
    if state and state.role == "leader" and (not term or state.term > term) then
      found, term = i, state.term
    end
  end
  return found
end

local function show_progress(screen, stream, total, world)
  local leader = leader_of(world)
  screen:progress(stream.acknowledged, total, ("%s of %s lines, leader %s"):format(
    thousands(stream.acknowledged), thousands(total), leader and "n" .. leader or "-"))
end

---------------------------------------------------------------------------------------------------
-- The run

-- The leader with one more on one side, the other three on the other.
local function sides(leader)
  local minority, majority = { leader, leader % NODES + 1 }, {}
  for i = 1, NODES do
    if i ~= minority[1] and i ~= minority[2] then majority[#majority + 1] = i end
  end
  return minority, majority
end

local function names(indexes)
  return "n" .. table.concat(indexes, " n")
end

-- What is done to the cluster while the lines stream: a list of steps, each with the condition it
-- waits for. A step returns the condition of time before the next one.
local function story(world, screen, stream, total)
  local function acknowledged(share)
    return function() return stream.acknowledged >= total * share // 1 and leader_of(world) end
  end
  local function after(ms)
    local at = world.time_us + ms * 1000
    return function() return world.time_us >= at end
  end
  local crashed
  return {
    { acknowledged(1 / 3), function()
      crashed = leader_of(world)
      screen:print("%s  CRASH      the leader n%d, at line %s", time_of(world), crashed,
        thousands(stream.acknowledged))
      world:crash(crashed)
    end },
    { function() return after(DOWN_MS) end, function()
      screen:print("%s  RESTART    n%d, from its file", time_of(world), crashed)
      world:restart(crashed)
    end },
    { acknowledged(2 / 3), function()
      local minority, majority = sides(leader_of(world))
      screen:print("%s  PARTITION  %s (with the leader) | %s, at line %s", time_of(world),
        names(minority), names(majority), thousands(stream.acknowledged))
      world:partition(minority, majority)
    end },
    { function() return after(APART_MS) end, function()
      screen:print("%s  HEAL       all nodes reach each other again", time_of(world))
      world:heal()
    end },
  }
end

local function check(world)
  if world.verdict then errors.raise("run_failed", "%s", tostring(world.verdict)) end
end

-- All nodes have all entries, and know them committed.
local function has_converged(world)
  local leader = leader_of(world)
  local last = leader and world.nodes[leader].state.last
  for _, machine in ipairs(world.nodes) do
    local state = machine.up and machine.state
    if not state or state.last ~= last or state.commit ~= last then return false end
  end
  return true
end

local function run(world, screen, stream, total)
  local function wait(condition, what)
    local ticks = 0
    local reached = world:run_until(function()
      ticks = ticks + 1
      if ticks % 64 == 0 then show_progress(screen, stream, total, world) end
      return condition()
    end, TIME_MAX_MS)
    check(world)
    if not reached then errors.raise("run_failed", "%s did not come about in an hour", what) end
  end
  for _, step in ipairs(story(world, screen, stream, total)) do
    local condition = step[1]()
    -- A condition of time is made when its step comes up; one of progress is asked as it is.
    wait(type(condition) == "function" and condition or step[1], "progress")
    step[2]()
  end
  wait(function() return stream.done end, "the last acknowledgement")
  wait(function() return has_converged(world) end, "agreement of all nodes")
  show_progress(screen, stream, total, world)
  screen:clear()
end

---------------------------------------------------------------------------------------------------
-- The result

local function compare(screen, directory, lines, size)
  local rows, agree, digest = {}, true, 0
  for _, line in ipairs(lines) do digest = store.crc32c(line, digest) end
  for i = 1, NODES do
    local found = replica.read(("%s/n%d.db"):format(directory, i), lines, CLIENT)
    agree = agree and found.problem == nil
    rows[i] = { "n" .. i, found.first or 0, found.last or 0, found.term, found.entries,
      found.no_ops, found.commands, found.bytes, ("%08x"):format(found.digest),
      found.problem and "DIFFERS: " .. found.problem or "identical" }
  end
  rows[NODES + 1] = { "input", "", "", "", "", "", #lines, size, ("%08x"):format(digest), "" }
  screen:print("")
  screen:table({ "node", "first", "last", "term", "entries", "no-ops", "lines", "bytes", "crc32c",
    "verdict" }, rows)
  screen:print("")
  return agree
end

local function summarize(screen, world, seconds)
  screen:print("%s events in %.2f s (%s a second), %.1f simulated s, %d messages lost",
    thousands(world.events), seconds, thousands(world.events / seconds), world.time_us / 1e6,
    world.lost)
  screen:print("seed %d, trace hash %s", world.seed, world:hash())
end

local function explain(screen, directory)
  local file = ("%s/n1.db"):format(directory)
  screen:print("")
  screen:print("The nodes' files: %s/n1.db to n%d.db", directory, NODES)
  screen:print("LMDB's own tools read them:")
  screen:print("  mdb_stat -n -a %s", file)
  screen:print("  mdb_dump -n -p -s replog %s | less", file)
end

--- Runs the demo.
---@param args table input, seed, directory, durability
---@param cli table the exit codes
---@return integer exit code
function demo.run(args, cli)
  local name = args.input or DEFAULT_INPUT
  if name == "" then errors.raise("input_invalid", "no input file is named") end
  local lines, size = input.lines(name)
  local directory = prepare(args)
  local screen = screens.new()
  screen:print("%s: %s lines, %s bytes", name == "-" and "standard input" or name,
    thousands(#lines), thousands(size))
  screen:print("%d nodes, durability %s, seed %d", NODES, args.durability, args.seed)
  local stream = lab.stream{ commands = lines, batch_max = 16 }
  local started = screens.wall_clock()
  local world <close> = lab.new{
    seed = args.seed, nodes = NODES, protocol = "jangada.raft.protocol",
    options = { machine = "list" }, network = { delay_ms = { 1, 10 }, loss = 0.01 },
    durability = args.durability, directory = directory, clients = { stream },
    observe = observer(screen),
  }
  run(world, screen, stream, #lines)
  local seconds = screens.wall_clock() - started
  summarize(screen, world, seconds)
  world:close() -- the comparison reads what is on the disks, nothing else
  local agree = compare(screen, directory, lines, size)
  screen:print(agree and "All %d nodes hold exactly the input."
    or "NOT all %d nodes hold the input.", NODES)
  explain(screen, directory)
  return agree and cli.OK or cli.VIOLATION
end

return demo
