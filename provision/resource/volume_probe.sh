# name: the volume's, born: the mark that it was made here.
case $D$V in
# Where the engine is gone, what it kept may still be there: that is not known before it is back.
no*) if [ -e "$born" ]; then unknown 'Docker is not installed, but the volume was made here before'; else no; fi ;;
yesyes)
	no; [ ! -e "$born" ] || v born yes
	printf '%s\n' "$VS" | while IFS='|' read -r x _ dir; do [ "$x" = "$name" ] || continue; yes; major "$dir"; done ;;
yes*) unknown "$VS" ;;
*) unknown "$DV" ;;
esac
