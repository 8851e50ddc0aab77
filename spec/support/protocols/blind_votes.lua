-- Raft with a planted bug: a vote does not ask whether the candidate's log is up to date (5.4.1).

return require("jangada.raft").with{is_up_to_date = function() return true end}
