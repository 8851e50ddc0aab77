local cjson = require "cjson"
local command = require "spec.support.log_command"
local process = require "spec.support.process"

local must, run, script, with = command.must, command.run, command.script, command.with

-- The data of all entries of a log.
local function data_in(path, name)
  return with(path, function(log)
    local found = {}
    for index, entry in log:each() do found[index] = entry.data end
    assert.same({}, log:verify())
    return found, log
  end, name)
end

-- Appends text, and gives what was printed.
local function append(arguments, input)
  local code, output, messages = run({ "append", table.unpack(arguments) }, { input = input })
  assert.equal(0, code, messages)
  return command.lines(output), messages
end

describe("jangada log append", function()
  after_each(command.clean)

  it("makes an entry of each line, and prints the last index that is durable", function()
    local path = command.path()
    local printed, messages = append({ path, "--create" }, "one\n\nthree \\n\0\xff\r\nfour")
    assert.equal("4", printed[#printed])
    assert.equal(path .. ": 4 entries appended; the log is durable up to entry 4\n", messages)
    assert.same({ "one", "", "three \\n\0\xff\r", "four" }, (data_in(path)))
    assert.same({ "5" }, (append({ path }, "five\n")))
    assert.same({}, (append({ path }, "")))
    with(path, function(log)
      assert.same({ 1, nil, 0 }, { log:hard_state() })
      assert.equal(0, log:entry(1).type)
    end)
  end)

  it("commits what has come in, and tells, before it waits for more", function()
    local output, path = script[[
      mkfifo $D/in $D/out
      $J append $F --create < $D/in > $D/out 2> $D/err &
      exec 3> $D/in 4< $D/out
      for line in a b c; do
        echo $line >&3
        read index <&4
        echo "$line $index"
      done
      printf 'd\ne\nf' >&3
      exec 3>&-
      cat <&4
      wait
    ]]
    local lines = command.lines(output)
    assert.same({ "a 1", "b 2", "c 3" }, { lines[1], lines[2], lines[3] })
    assert.equal("6", lines[#lines])
    assert.same({ "a", "b", "c", "d", "e", "f" }, (data_in(path)))
  end)

  it("fills batches when much comes in", function()
    local path = command.path()
    local printed = append({ path, "--create", "--batch", "40" }, ("line\n"):rep(100))
    assert.same({ "40", "80", "100" }, printed)
    local output = must({ "append", path, "--json", "--batch", "40" },
      { input = ("line\n"):rep(50), shell = "2> /dev/null" })
    local rows = {}
    for i, line in ipairs(command.lines(output)) do rows[i] = cjson.decode(line) end
    assert.same({ { last = 140, entries = 40 }, { last = 150, entries = 10 } }, rows)
    assert.same({ "151", "152" }, (append({ path },
      ("x"):rep(1 << 20) .. "\n" .. ("y"):rep(3 << 19) .. "\n")))
  end)

  it("reads records that begin with their lengths", function()
    local path = command.path()
    local records, input = { "", "a", ("x"):rep(200000), "\0\n\xff" }, {}
    for i, record in ipairs(records) do input[i] = string.pack(">s4", record) end
    input = table.concat(input)
    append({ path, "--create", "--binary" }, input)
    assert.same(records, (data_in(path)))
    assert.is_true(input == must{ "dump", path, "--binary" })
    local code, output, messages = run({ "append", path, "--binary" },
      { input = string.pack(">s4", "whole") .. "\0\0\0\9half" })
    assert.same({ 2, "5\n" }, { code, output })
    assert.matches("ends within record 2: 8 of its 13 bytes", messages)
    assert.matches("1 entry appended; the log is durable up to entry 5", messages)
    assert.matches("2 of its first 4 bytes", select(3, run({ "append", path, "--binary" },
      { input = "\0\0" })))
  end)

  it("says of what term and type they are, and that they are committed", function()
    local path = command.file()
    append({ path, "--type", "7", "--commit" }, "a\nb\n")
    with(path, function(log)
      assert.same({ 7, "n2", 11 }, { log:hard_state() })
      assert.same({ term = 7, type = 7, data = "b" }, log:entry(11))
    end)
    append({ path, "--term", "9" }, "c\n")
    with(path, function(log)
      assert.same({ 9, nil, 11 }, { log:hard_state() })
      assert.equal(9, log:term(12))
    end)
    local code, _, messages = run({ "append", path, "--term", "8" }, { input = "d\n" })
    assert.equal(2, code)
    assert.matches("%-%-term 8 is below the log's current term 9", messages)
    assert.equal(12, with(path, function(log) return log:last_index() end))
  end)

  it("appends to the log that is named", function()
    local path = command.path()
    append({ path, "--create", "--log", "groups/17" }, "a\n")
    append({ path, "--log", "groups/17" }, "b\n")
    assert.same({ "a", "b" }, (data_in(path, { "groups", "17" })))
    local code, _, messages = run({ "append", path, "--log", "groups/18" }, { input = "c\n" })
    assert.equal(2, code)
    assert.matches("there is no log 'groups/18': there are 'groups/17'", messages)
    code, _, messages = run({ "append", command.path() }, { input = "c\n" })
    assert.equal(2, code)
    assert.matches("No such file", messages)
  end)

  it("takes no entry that is larger than it was told", function()
    local path = command.path()
    local large = ("x"):rep((1 << 20) + 1)
    local code, output, messages = run({ "append", path, "--create", "--size-max", "1" },
      { input = "a\n" .. large .. "\nb\n" })
    assert.equal(2, code)
    assert.matches("record 2 of standard input has %d+ bytes or more, over the limit of 1048576",
      messages)
    assert.equal("1\n", output)
    assert.matches("1 entry appended; the log is durable up to entry 1", messages)
    code, output, messages = run({ "append", path, "--size-max", "1", "--binary", "--create" },
      { input = "this is text\n" })
    assert.same({ 2, "" }, { code, output })
    assert.matches("record 1 .* 1952999795 bytes", messages)
  end)

  for name, number in pairs{ INT = 130, TERM = 143, HUP = 129 } do
    it(("ends at SIG%s between two commits, and says what is durable"):format(name), function()
      local output, path = script(([[
        mkfifo $D/in
        $J append $F --create < $D/in > $D/acks 2> $D/err & pid=$!
        exec 3> $D/in
        echo a >&3
        while ! grep -q 1 $D/acks 2> /dev/null; do sleep 0.01; done
        printf 'half a line' >&3
        sleep 0.05 # whether it has read that or not, it is not to be seen
        kill -%s $pid
        wait $pid
        echo "exit $?"
        cat $D/acks $D/err
      ]]):format(name))
      assert.equal(("exit %d\n1\njangada log append: %s: interrupted: 1 entry appended; the log is "
        .. "durable up to entry 1\n"):format(number, path), output)
      assert.same({ "a" }, (data_in(path)))
    end)
  end

  it("says what is durable when nobody reads it any more", function()
    local output, path = script[[
      mkfifo $D/in $D/out
      ($J append $F --create < $D/in > $D/out 2> $D/err; echo "exit $?" >> $D/err) &
      exec 3> $D/in
      exec 4< $D/out
      echo a >&3
      head -1 <&4
      exec 4<&-
      echo b >&3
      for i in $(seq 500); do # it may have looked before it wrote
        grep -q exit $D/err && break
        sleep 0.01
      done
      exec 3>&-
      wait
      cat $D/err
    ]]
    local last = with(path, function(log) return log:last_index() end)
    assert.matches("^1\n", output)
    assert.matches(("nobody reads what is durable: %d entries appended; the log is durable up to "
      .. "entry %d\nexit 3\n$"):format(last, last), output)
    assert.is_true(last == 2 or last == 3)
  end)

  it("says what is durable when it cannot print it", function()
    local output, path = script[[
      printf 'a\nb\n' | $J append $F --create > /dev/full
      echo "exit $?"
    ]]
    assert.matches("2 entries appended; the log is durable up to entry 2\n", output)
    assert.matches("standard output: No space left on device\nexit 3\n$", output)
    assert.same({ "a", "b" }, (data_in(path)))
  end)

  it("prints nothing into the file when it was started without standard streams", function()
    for _, durability in ipairs{ "commit", "journal" } do
      local output, path = script(([[
        printf 'a\nb\n' | $J append $F --create --durability %s >&-
        echo "exit $?"
        printf 'c\n' | $J append $F --durability %s 2>&-
        $J append $F --durability %s <&- >&- 2>&-
        echo "exit $?"
      ]]):format(durability, durability, durability))
      assert.equal(("jangada log append: %s: 2 entries appended; the log is durable up to entry 2\n"
        .. "jangada log append: %s: standard output: Bad file descriptor\nexit 3\n3\nexit 3\n")
        :format(path, path), output)
      assert.same({ "a", "b", "c" }, (data_in(path)))
    end
  end)

  it("says what is durable when the file can grow no more", function()
    local output, path = script[[
      ulimit -f 400
      trap '' XFSZ
      yes "a line of some length, again and again" | head -20000 |
        $J append $F --create --batch 500 > $D/acks 2> $D/err
      echo "exit $?"
      tail -1 $D/acks
      cat $D/err
    ]]
    local exit, acknowledged = output:match("^exit (%d+)\n(%d+)\n")
    assert.equal("3", exit, output)
    assert.matches(("durable up to entry %s\n"):format(acknowledged), output)
    local found = data_in(path)
    assert.is_true(#found >= tonumber(acknowledged))
  end)

  -- A writer that is killed at any moment: what it has acknowledged is there, and nothing else.
  local function survives_kills(durability, kills)
    local output, path = script(([[
      acknowledged=0
      for round in $(seq %d); do
        rm -f $D/in $D/acks
        mkfifo $D/in
        $J append $F --create --durability %s --batch 50 < $D/in > $D/acks 2> $D/err &
        pid=$!
        seq $((acknowledged + 1)) 1000000 > $D/in 2> /dev/null & writer=$!
        while ! [ -s $D/acks ]; do sleep 0.01; done
        sleep 0.0$((RANDOM %% 50 + 10))
        kill -9 $pid
        wait $pid 2> /dev/null
        kill $writer 2> /dev/null
        wait $writer 2> /dev/null
        acknowledged=$(grep -E '^[0-9]+$' $D/acks | tail -1)
        $J dump $F --data > $D/lines 2> /dev/null ||
          { lua5.4 bin/jangada db recover $F > /dev/null && $J dump $F --data > $D/lines; }
        last=$(wc -l < $D/lines)
        echo "$acknowledged $last"
        seq 1 $last | cmp - $D/lines || echo "wrong lines"
        acknowledged=$last
      done
    ]]):format(kills, durability))
    local rounds = 0
    for acknowledged, last in output:gmatch("(%d+) (%d+)\n") do
      rounds = rounds + 1
      assert.is_true(tonumber(acknowledged) <= tonumber(last), output)
    end
    assert.equal(kills, rounds, output)
    assert.is_nil(output:find("wrong", 1, true), output)
    assert.is_true(#data_in(path) > 0)
  end

  for _, durability in ipairs{ "commit", "journal" } do
    local what = "loses nothing it has acknowledged to kill -9, with durability " .. durability
    it(what, function() survives_kills(durability, 3) end)
    it(what .. ", again and again #slow", function() survives_kills(durability, 8) end)
  end

  it("lets others read and write what it shares", function()
    local output, path = script[[
      mkfifo $D/in $D/out
      $J append $F --create --shared < $D/in > $D/out 2> /dev/null &
      exec 3> $D/in 4< $D/out
      echo a1 >&3
      read index <&4
      $J append $F --shared < <(echo b1; echo b2) 2> /dev/null
      echo a2 >&3
      read index <&4
      echo a3 >&3
      exec 3>&-
      cat <&4
      wait
    ]]
    assert.matches("3\n5\n$", output)
    local found = data_in(path)
    table.sort(found)
    assert.same({ "a1", "a2", "a3", "b1", "b2" }, found)
    local code, _, messages = run{ "append", path, "--shared", "--durability", "journal" }
    assert.equal(2, code)
    assert.matches("cannot be shared", messages)
  end)

  it("explains itself in 80 columns", function()
    for _, verb in ipairs{ "append", "tail", "dump", "list", "stats", "verify", "compact", "copy",
      "export", "import" } do
      local code, output = process.jangada(("log %s --help"):format(verb))
      assert.equal(0, code)
      assert.matches("Example", output)
      for line in output:gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
    end
  end)
end)
