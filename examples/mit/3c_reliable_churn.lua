-- MIT 6.5840, lab 3C, churn: servers come and go while clients work (churn.lua).

return require("examples.mit.churn")(false)
