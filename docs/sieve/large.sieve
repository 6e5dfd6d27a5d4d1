# What is larger than 20 MiB is refused, and its sender told what to do instead; not what the family sends.
require ["reject"];

if allof (size :over 20M, not address :is "from" "family@example.net") {
	reject "I take no mail over 20 MB. Please put the file somewhere and send me a link.";
}
