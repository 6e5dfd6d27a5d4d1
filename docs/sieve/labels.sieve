# A field of my own in what comes from customers, for my mail program to show; one that others wrote is taken out.
require ["editheader"];

deleteheader "X-Customer";
if address :domain :is "from" ["example.com", "example.net"] {
	addheader "X-Customer" "yes";
}
