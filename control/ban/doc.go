// Package ban is the life of an incident and of what is done about it: start, peak, extension,
// end. It is driven by verdicts and ticks from the control loop; time is an argument.
package ban
