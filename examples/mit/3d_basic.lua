-- MIT 6.5840, lab 3D, basic: the servers take snapshots, and go on.

return require("examples.mit.snapshots").scenario{}
