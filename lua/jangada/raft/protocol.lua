--- The reference Raft as a protocol module: `protocol = "jangada.raft.protocol"`.

return require("jangada.raft").protocol
