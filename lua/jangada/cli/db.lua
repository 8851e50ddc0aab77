--- `jangada db VERB FILE ...`: looks into a store, and changes it, from the command line.
--
-- What its verbs share is in db/session.lua.

local verbs = require "jangada.cli.verbs"

local families = { "buckets", "keys", "facts", "pages", "dump", "copies", "recovery", "bench" }

return verbs.command("db", families, function(parser)
  parser:summary("Look into a store's file, and change it.")
  parser:description("Exit codes: 0 done; 1 the key is not there, or check has found damage; 2 the "
    .. "arguments or the file cannot be used; 3 it could not be done.")
  parser:epilog("`jangada db VERB --help` says more, with examples. BUCKET is a name, or a path of "
    .. "names: a/b/c. A slash in a name is \\/, any byte \\xHH.")
end)
