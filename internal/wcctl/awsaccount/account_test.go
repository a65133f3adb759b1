package awsaccount_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testprogram"
	"github.com/wastecoach/wastecoach/internal/wcctl/awsaccount"
)

const ec2 = "arn:aws:ec2:ap-northeast-2:123456789012:"

// account is what an AWS account holds, by the words that ask for it; anything else is gone.
type account map[string]string

// open makes an aws of it: a program that answers as the AWS CLI does.
func (a account) open(t *testing.T) *awsaccount.Account {
	t.Helper()
	var script strings.Builder
	script.WriteString("#!/bin/sh\nall=\"$*\"\ncase $all in\n")
	for question, answer := range a {
		fmt.Fprintf(&script, "*%q*) printf '%%s' '%s' ;;\n", question, answer)
	}
	script.WriteString(`*get-resources*) echo '{"ResourceTagMappingList": []}' ;;
iam*) echo "An error occurred (NoSuchEntity) when calling the operation" >&2; exit 254 ;;
s3api*) echo "An error occurred (404) when calling the HeadBucket operation: Not Found" >&2; exit 254 ;;
*) echo "An error occurred (InvalidThing.NotFound) when calling the operation" >&2; exit 254 ;;
esac
`)
	program := filepath.Join(t.TempDir(), "aws")
	testprogram.Write(t, program, script.String())
	i, err := awsaccount.Open(program, "demo", "ap-northeast-2")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

const (
	ours     = "--tag-filters Key=ManagedBy,Values=wcctl Key=Cluster,Values=demo --region ap-northeast-2"
	ofClaims = "--tag-filters Key=kubernetes.io/cluster/demo --region ap-northeast-2"
)

func list(arns ...string) string {
	var resources []string
	for _, arn := range arns {
		resources = append(resources, fmt.Sprintf(`{"ResourceARN": %q}`, arn))
	}
	return `{"ResourceTagMappingList": [` + strings.Join(resources, ",") + `]}`
}

func state(name string) string {
	return fmt.Sprintf(`{"Reservations": [{"Instances": [{"State": {"Name": %q}}]}]}`, name)
}

func TestLeft(t *testing.T) {
	t.Parallel()
	volume := ec2 + "volume/vol-1"
	tests := map[string]struct {
		account account
		want    []string
	}{
		"nothing": {account{}, nil},
		// AWS lists what is gone for up to an hour.
		"still listed": {
			account{
				ours: list(ec2+"instance/i-1", ec2+"network-interface/eni-1", volume, ec2+"vpc/vpc-1",
					ec2+"elastic-ip/eipalloc-1", "arn:aws:s3:::demo-photos-1"),
				"--instance-ids i-1": state("terminated"),
			},
			nil,
		},
		"there": {
			account{
				ours: list(ec2+"instance/i-1", ec2+"security-group-rule/sgr-1",
					"arn:aws:s3:::demo-photos-1", "arn:aws:rds:ap-northeast-2:1:db:x"),
				"--instance-ids i-1":                            state("running"),
				"--security-group-rule-ids sgr-1":               "{}",
				"head-bucket --bucket demo-photos-1":            "{}",
				"get-role --role-name demo-ap-northeast-2-cont": "{}",
				"--instance-profile-name demo-ap-northeast-2-w": "{}",
			},
			[]string{
				"instance i-1 (aws ec2 terminate-instances --instance-ids i-1 --region ap-northeast-2)",
				"security-group-rule sgr-1",
				"bucket demo-photos-1 (aws s3 rb --force s3://demo-photos-1)",
				"arn:aws:rds:ap-northeast-2:1:db:x",
				"instance profile demo-ap-northeast-2-worker",
				"role demo-ap-northeast-2-control",
			},
		},
		// The volume of a claim has Kubernetes' tag, and maybe ours too.
		"of claims": {
			account{
				ours: list(volume), ofClaims: list(volume, ec2+"snapshot/snap-1"),
				"--volume-ids vol-1": `{"Volumes": [{}]}`, "--snapshot-ids snap-1": "{}",
			},
			[]string{
				"volume vol-1 (aws ec2 delete-volume --volume-id vol-1 --region ap-northeast-2)",
				"snapshot snap-1 (aws ec2 delete-snapshot --snapshot-id snap-1 --region ap-northeast-2)",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left, err := test.account.open(t).Left(t.Context())
			if err != nil || !slices.Equal(left, test.want) {
				t.Errorf("left %q, %v, want %q", left, err, test.want)
			}
		})
	}
}

// TestNoAnswer: who gets no answer does not say that nothing is left.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for question, words := range map[string]string{
		ours: "asking AWS for what is left", ofClaims: "asking AWS for what is left", "get-role": "the role demo-",
	} {
		t.Run(question, func(t *testing.T) {
			t.Parallel()
			expired := "'; echo 'An error occurred (ExpiredToken)' >&2; exit 254; : '"
			_, err := account{question: expired}.open(t).Left(t.Context())
			if err == nil || !strings.Contains(err.Error(), words) ||
				!strings.HasSuffix(err.Error(), "(ExpiredToken)") {
				t.Errorf("error: %v", err)
			}
		})
	}
	if _, err := awsaccount.Open("/nowhere/aws", "demo", "ap-northeast-2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the AWS CLI: %v", err)
	}
	var missing *exec.Error
	if _, err := awsaccount.Open("no-such-aws", "demo", "ap-northeast-2"); !errors.As(err, &missing) {
		t.Errorf("without the AWS CLI: %v", err)
	}
}
