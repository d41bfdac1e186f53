# mark: the file that says where the data are.
if [ -f "$mark" ]; then yes; v place "$(head -c 400 "$mark")"; else no; fi
