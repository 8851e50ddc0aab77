-- MIT 6.5840, lab 3C, churn in an unreliable network (churn.lua).

return require("examples.mit.churn")(true)
