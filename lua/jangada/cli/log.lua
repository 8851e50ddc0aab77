--- `jangada log VERB FILE ...`: a Raft log in a store's file, from the command line.
--
-- What its verbs share is in log/session.lua.

local verbs = require "jangada.cli.verbs"

local families = { "append", "entries", "facts", "changes", "transfer" }

return verbs.command("log", families, function(parser)
  parser:summary("Read a log in a store's file, and write to it.")
  parser:description("Exit codes: 0 done; 1 verify has found damage; 2 the arguments or the file "
    .. "cannot be used; 3 it could not be done; 130 interrupted.")
  parser:epilog("`jangada log VERB --help` says more, with examples. A log is a bucket and its "
    .. "sibling *.meta; --log names it, replog if it does not: a name, or a path of names a/b/c. A "
    .. "slash in a name is \\/, any byte \\xHH.")
end)
