// Calls `divide` by amqp091-go: the least that works, for one call at a time.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const replies = "amq.rabbitmq.reply-to"
const limit = 5 * time.Second

type client struct {
	channel *amqp.Channel
	answers <-chan amqp.Delivery
	returns <-chan amqp.Return
}

func (c client) call(method string, kwargs, result any) error {
	body, err := json.Marshal(kwargs)
	if err != nil {
		return err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	id := hex.EncodeToString(random)
	message := amqp.Publishing{Type: "call", CorrelationId: id, ReplyTo: replies,
		Expiration: fmt.Sprint(limit.Milliseconds()), Body: body}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := c.channel.PublishWithContext(ctx, "", method, true, false, message); err != nil {
		return err
	}
	for {
		select {
		case answer, open := <-c.answers:
			if !open {
				return errors.New("the connection is lost")
			}
			// Another id is that of a call that was given up.
			if answer.CorrelationId == id {
				return decode(answer, result)
			}
		case returned := <-c.returns:
			if returned.CorrelationId == id {
				return errors.New("no such method")
			}
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v", limit)
		}
	}
}

func decode(answer amqp.Delivery, result any) error {
	if answer.Type == "result" {
		return json.Unmarshal(answer.Body, result)
	}
	var reply struct {
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal(answer.Body, &reply); err != nil {
		return err
	}
	return fmt.Errorf("%s: %s", reply.Error.Type, reply.Error.Message)
}

func main() {
	url := os.Getenv("RABBITMQ_URL")
	if url == "" {
		url = "amqp://guest:guest@localhost:5672/%2f"
	}
	connection, err := amqp.Dial(url)
	check(err)
	defer connection.Close()
	channel, err := connection.Channel()
	check(err)
	answers, err := channel.Consume(replies, "", true, false, false, false, nil)
	check(err)
	client := client{channel, answers, channel.NotifyReturn(make(chan amqp.Return, 1))}
	calls := []struct {
		method string
		kwargs any
	}{
		{"divide", map[string]float64{"a": 7, "b": 2}},
		{"divide", map[string]float64{"a": 1, "b": 0}},
		{"nobody", struct{}{}},
	}
	for _, call := range calls {
		var quotient float64
		if err := client.call(call.method, call.kwargs, &quotient); err != nil {
			fmt.Println(call.method, "failed:", err)
		} else {
			fmt.Println(call.method, "->", quotient)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
