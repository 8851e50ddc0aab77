local cjson = require "cjson"
local command = require "spec.support.log_command"
local logs = require "spec.support.logs"

local must, run, script = command.must, command.run, command.script

describe("jangada log dump", function()
  after_each(command.clean)

  it("prints index, term, type and data of each entry", function()
    local path = command.file(function(log)
      log:save{ term = 5, entries = { { term = 2, data = "a" }, { term = 5, type = 9,
        data = "tab\t \\ \xff é" }, { term = 5, data = "" } } }
    end)
    assert.equal("1\t2\t0\ta\n2\t5\t9\ttab\\t \\\\ \\xff é\n3\t5\t0\t\n", must{ "dump", path })
    assert.equal("2\t5\t9\t746162092" .. "05c20ff20c3a9\n",
      must{ "dump", path, "--from", "2", "--to", "2", "--format", "hex" })
    assert.equal("a\ntab\t \\ \xff é\n\n", must{ "dump", path, "--data", "--format", "bytes" })
    assert.same({ index = 3, term = 5, type = 0, data = "" },
      cjson.decode(command.lines(must{ "dump", path, "--json" })[3]))
    assert.equal('{"index":2,"term":5,"type":9,"data":{"base64":"dGFiCSBcIP8gw6k="}}',
      command.lines(must{ "dump", path, "--json", "--from", "2" })[1])
  end)

  it("prints what there is of a range", function()
    local path = command.file(function(log)
      logs.example(log.db)
      log:save{ commit = 6, snapshot = { index = 6, term = 5 }, compact = 4 }
    end)
    local function indices(...)
      local found = {}
      for i, line in ipairs(command.lines(must{ "dump", path, ... })) do
        found[i] = tonumber(line:match("^%d+"))
      end
      return found
    end
    assert.same({ 5, 6, 7, 8, 9 }, indices())
    assert.same({ 5, 6 }, indices("--to", "6"))
    assert.same({ 5 }, indices("--from", "1", "--to", "5"))
    assert.same({ 9 }, indices("--from", "9", "--to", "99"))
    assert.same({}, indices("--from", "10"))
    assert.same({}, indices("--to", "4"))
  end)

  it("says which entry is damaged, with all before it printed", function()
    local path = command.file(function(_, db)
      logs.example(db)
      db:update(function(tx) tx:bucket("replog"):put(5, "bad") end)
    end)
    local code, output, messages = run{ "dump", path }
    assert.equal(3, code)
    assert.equal(4, #command.lines(output))
    assert.matches("entry 5 of replog is damaged", messages)
  end)

  it("names the logs there are when there is none of that name", function()
    local path = command.file()
    local code, _, messages = run{ "dump", path, "--log", "a/b" }
    assert.equal(2, code)
    assert.matches("there is no log 'a/b': there are 'replog'\n$", messages)
    code, _, messages = run{ "dump", command.file(function() end) }
    assert.equal(2, code)
    assert.matches("there is no log at all", messages)
    code, _, messages = run{ "dump", path, "--json", "--data" }
    assert.equal(2, code)
    assert.matches("not several", messages)
  end)
end)

describe("jangada log tail", function()
  after_each(command.clean)

  it("prints the last entries", function()
    local path = command.file(function(log)
      local entries = {}
      for i = 1, 50 do entries[i] = { term = 1, data = "entry " .. i } end
      log:save{ term = 1, entries = entries }
    end)
    local lines = command.lines(must{ "tail", path, "--data" })
    assert.same({ 10, "entry 41", "entry 50" }, { #lines, lines[1], lines[10] })
    assert.equal("50\t1\t0\tentry 50\n", must{ "tail", path, "-n", "1" })
    assert.equal("", must{ "tail", path, "-n", "0" })
    assert.equal(50, #command.lines(must{ "tail", path, "--lines", "500" }))
  end)

  it("goes on with what comes, until it is interrupted", function()
    local output = script[[
      printf 'a\nb\nc\n' | $J append $F --create 2> /dev/null > /dev/null
      $J tail $F -f -n 2 --data --interval-ms 20 > $D/seen & pid=$!
      while ! grep -q c $D/seen 2> /dev/null; do sleep 0.05; done
      printf 'd\ne\n' | $J append $F --shared 2> /dev/null > /dev/null || echo "no append"
      while ! grep -q e $D/seen; do sleep 0.05; done
      kill -INT $pid
      wait $pid
      echo "exit $?"
      cat $D/seen
    ]]
    assert.equal("exit 130\nb\nc\nd\ne\n", output)
  end)

  it("ends quietly when nobody reads it any more, also while nothing comes", function()
    local output = script[[
      echo a | $J append $F --create 2> /dev/null > /dev/null
      ($J tail $F -f --data --interval-ms 20; echo "exit $?" > $D/exit) | head -1
      cat $D/exit
    ]]
    assert.equal("a\nexit 0\n", output)
  end)

  it("says what was replaced, and what was compacted, and goes on", function()
    local output = script[[
      cat > $D/write.lua <<'END'
        local step, path = ...
        local db <close> = assert(require("jangada.store").open(path, {shared = true}))
        local log = require("jangada.log").open(db, "replog")
        if step == "fill" then
          log:save{term = 1, entries = {{term = 1, data = "a"}, {term = 1, data = "b"},
            {term = 1, data = "c"}}, commit = 1}
        elseif step == "replace" then
          log:save{term = 2, first = 2, entries = {{term = 2, data = "B"}}}
        else
          log:save{commit = 2, snapshot = {index = 9, term = 2}, first = 10, commit = 9,
            entries = {{term = 2, data = "j"}}}
        end
END
      export LUA_PATH='lua/?.lua;lua/?/init.lua;;'
      lua5.4 $D/write.lua fill $F
      $J tail $F -f --interval-ms 20 > $D/seen 2> $D/notes & pid=$!
      while ! grep -q c $D/seen 2> /dev/null; do sleep 0.05; done
      lua5.4 $D/write.lua replace $F
      while ! grep -q B $D/seen; do sleep 0.05; done
      lua5.4 $D/write.lua install $F
      while ! grep -q j $D/seen; do sleep 0.05; done
      kill -TERM $pid
      wait $pid
      cat $D/seen $D/notes
    ]]
    assert.equal("1\t1\t0\ta\n2\t1\t0\tb\n3\t1\t0\tc\n2\t2\t0\tB\n10\t2\t0\tj\n"
      .. "jangada log tail: entries from 2 on were replaced or removed\n"
      .. "jangada log tail: entries 3 to 9 were compacted\n", output)
  end)

  it("cannot look at what another process has alone", function()
    local output = script[[
      mkfifo $D/in
      $J append $F --create < $D/in > $D/acks 2> /dev/null & pid=$!
      exec 3> $D/in
      echo a >&3
      while ! grep -q 1 $D/acks 2> /dev/null; do sleep 0.05; done
      $J tail $F -f --timeout-ms 100
      echo "exit $?"
      kill -9 $pid
    ]]
    assert.matches("jangada log tail: .*in use.*\nexit 3\n", output)
  end)
end)
