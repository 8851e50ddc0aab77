-- busted's plain output, closed by the one line that says how the run went.
return function(options)
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  require "busted".subscribe({ "exit" }, function()
    local passed = handler.successesCount
    local failed = handler.failuresCount + handler.errorsCount
    if passed + failed + handler.pendingsCount == 0 then
      io.write("\nno spec was run\n")
      failed = 1
    end
    io.write(("\n%d passed, %d failed, %d skipped\n"):format(passed, failed, handler.pendingsCount))
    io.flush()
    if failed > 0 then os.exit(1, true) end
    return nil, true
  end)
  return handler
end
