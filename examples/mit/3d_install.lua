-- MIT 6.5840, lab 3D, install snapshots: a server that was cut off needs a snapshot.

return require("examples.mit.snapshots").scenario({}, "disconnect", "connect")
