-- Raft with a mistake: a follower gives its vote to whoever asks, twice in a term if need be.
return require("jangada.raft").with{ may_vote_for = function() return true end }
