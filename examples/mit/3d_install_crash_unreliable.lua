-- MIT 6.5840, lab 3D, install snapshots: a server that crashed needs a snapshot, in an unreliable
-- network.

return require("examples.mit.snapshots").scenario({ unreliable = true }, "crash", "restart")
