# A message that comes twice, by a list and by its author, is kept once.
require ["duplicate"];

if duplicate :seconds 86400 {
	discard;
	stop;
}
