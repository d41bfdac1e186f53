# b, d: as in kept.sh. The parameters are the files. Says what is kept and not in use: a run that was killed before it put everything
# back is gone on with.
for f; do ! gone "$f" || { v lost "$f"; break; }; done
