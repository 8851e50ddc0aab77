-- What busted prints: each spec that failed or is pending where it ends, and then the one line that
-- says how the run went. tools/specs, which runs many of these, adds them up.
local pretty = require "pl.pretty"

local function text_of(message)
  if message == nil then return "no message" end
  if type(message) == "string" then return message end
  local meta = getmetatable(message)
  return meta and meta.__tostring and tostring(message) or pretty.write(message)
end

local function show(kind, entry, details)
  local trace = entry.element.trace or {}
  io.write(("%s %s:%s: %s\n"):format(kind, trace.short_src or "?", trace.currentline or "?",
    entry.name))
  if details then io.write("  ", (details:gsub("\n", "\n  ")), "\n") end
  io.flush() -- a process that dies has said what it knew
end

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()

  local function failed(...) -- element, parent, message, debug
    local entry = handler.format(...)
    local details = text_of(entry.message)
    if options.verbose and entry.trace and entry.trace.traceback then
      details = details .. "\n" .. entry.trace.traceback
    end
    show("FAILED", entry, details)
    return nil, true
  end
  busted.subscribe({ "failure" }, failed)
  busted.subscribe({ "error" }, failed)

  busted.subscribe({ "test", "end" }, function(_, _, status)
    if status == "pending" then
      local entry = handler.pendings[#handler.pendings]
      show("PENDING", entry, entry.message and text_of(entry.message))
    end
    return nil, true
  end)

  busted.subscribe({ "exit" }, function()
    local failures = handler.failuresCount + handler.errorsCount
    io.write(("%d passed, %d failed, %d skipped\n"):format(handler.successesCount, failures,
      handler.pendingsCount))
    io.flush()
    if failures > 0 then os.exit(1, true) end -- busted's own code is their number, modulo 256
    return nil, true
  end)
  return handler
end
