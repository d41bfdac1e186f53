# name: the volume's, born: the mark that it was made here, elsewhere: the one of data in a database elsewhere; empty where there is none of it.
case $D$V in
# Where the engine is gone, what it kept may still be there: that is not known before it is back.
no*) if [ -e "$born" ]; then unknown 'Docker is not installed, but the volume was made here before'; else no; fi ;;
yesyes)
	no; [ ! -e "$born" ] || v born yes
	printf '%s\n' "$VS" | while IFS='|' read -r x _ dir; do [ "$x" = "$name" ] || continue; yes; major "$dir"; done ;;
yes*) unknown "$VS" ;;
*) unknown "$DV" ;;
esac
if [ -n "$elsewhere" ] && [ -f "$elsewhere" ]; then v elsewhere "$(head -c 400 "$elsewhere")"; fi
