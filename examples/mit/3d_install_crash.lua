-- MIT 6.5840, lab 3D, install snapshots: a server that crashed needs a snapshot.

return require("examples.mit.snapshots").scenario({}, "crash", "restart")
