--- `jangada db recover`: brings what a crash left in the journal into the file.

local json = require "jangada.cli.json"
local session = require "jangada.cli.db.session"
local units = require "jangada.cli.units"

local recover = { name = "recover" }

function recover.define(parser)
  session.describe(parser, "Bring what a crash left in the journal into the file.",
    "A file with durability journal whose process died has its last commits in FILE-journal. "
    .. "Whoever opens it for writing brings them in; this does it, and nothing else, so that it "
    .. "can be read, copied and moved alone.",
    { "recover my.db", "recover my.db --salvage" })
  parser:argument("file", "A store.")
  parser:flag("--salvage", "Also when the journal is missing, damaged or another's: what it alone "
    .. "holds from there on is lost.")
  session.json(parser)
  session.opening(parser)
end

function recover.run(args, cli)
  local options = { durability = "journal", salvage = args.salvage or nil }
  local count
  do
    local db <close> = session.open_to_write(args, false, options)
    count = db:info().journal.replayed
  end
  if args.json then
    session.print_json(json.object("file", args.file, "replayed", count))
  else
    local rest = args.salvage and "what else the journal held, if anything, is given up"
      or "the file is whole without its journal"
    session.print(function(out)
      out:write(("%s brought in; %s\n"):format(units.count(count, "commit"), rest))
    end)
  end
  return cli.OK
end

return { recover }
