# Mail with a program attached goes into a folder of its own, whoever sent it.
require ["fileinto", "foreverypart", "mailbox", "mime"];

foreverypart {
	if header :mime :param "filename" :matches ["Content-Type", "Content-Disposition"] ["*.exe", "*.scr", "*.js", "*.lnk"] {
		fileinto :create "Programs";
		break;
	}
}
