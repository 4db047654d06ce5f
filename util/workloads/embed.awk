# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# Turn NAME.cdf files into the C tables that lib/dist.c includes.
FNR == 1 {
	if (count)
		print "};"
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.cdf$/, "", name)
	names[count++] = name
	printf "static const struct dist_point %s_points[] = {\n", name
}
/^[0-9]/ { printf "\t{ %s, %s },\n", $1, $2 }
END {
	print "};"
	print "static const struct builtin builtin[] = {"
	for (i = 0; i < count; i++)
		printf "\t{ \"%s\", %s_points, sizeof(%s_points) / sizeof(%s_points[0]) },\n", \
			names[i], names[i], names[i], names[i]
	print "};"
}
