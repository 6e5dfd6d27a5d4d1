# A stricter line for Junk than the server's, and what is nearly sure is thrown away. The tests go from 1, clear, to 10.
require ["comparator-i;ascii-numeric", "fileinto", "relational", "spamtest", "special-use"];

if spamtest :value "ge" :comparator "i;ascii-numeric" "10" {
	discard;
} elsif spamtest :value "ge" :comparator "i;ascii-numeric" "5" {
	fileinto :specialuse "\\Junk" "Junk";
}
